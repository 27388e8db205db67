// SPDX-License-Identifier: MIT
// @ts-check
/**
 * One visit as a person sees it: connect, sync, carry, sign, end. A table of states; no DOM.
 *
 * A broken link is connected again and resumed, some times, before the person is asked. Nothing is
 * signed that was not synced before; what was signed is fetched from the tag's log after.
 */

import { bring } from "./carry.js";
import { AccessRefused, LinkError, VisitError } from "./errors.js";
import { SCOPE } from "./protocol.js";

/** What may follow each state. */
export const TABLE = Object.freeze({
  IDLE: ["CONNECTING"],
  CONNECTING: ["SYNCING", "WAITING", "TROUBLE"],
  SYNCING: ["CARRYING", "WAITING", "TROUBLE"],
  CARRYING: ["READY", "WAITING", "TROUBLE"],
  WAITING: ["CONNECTING", "TROUBLE"], // the link broke: it is tried again in a moment
  READY: ["SIGNING", "CONNECTING", "DONE", "TROUBLE"],
  SIGNING: ["SYNCING", "CONNECTING", "READY", "WAITING", "TROUBLE"],
  TROUBLE: ["CONNECTING", "DONE"],
  DONE: ["CONNECTING"],
});

const RECONNECTS_MAX = 5;
const PAUSE_MS = 1500;
const RATE_FROM_MS = 300; // an estimate from less would jump

/** @typedef {keyof typeof TABLE} State */
/**
 * What is to be shown. *leftS* null: nobody knows yet. *signed*: what was signed on this visit.
 * @typedef {{state: State, recordCount: number, doneShare: number, leftS: number | null,
 *   headSeq: number, ready: any, isOffered: boolean, takenCount: number, alarms: string[],
 *   signed: "" | "offer" | "accept", reconnectCount: number,
 *   problem: {message: string, hint: string} | null}} View
 */
/**
 * What a visit needs. *nowMs*: Unix ms; *pause* waits ms.
 * @typedef {{visitor: any, evidence: any, pouch: any, nowMs: () => number,
 *   pause: (ms: number) => Promise<void>, onChange: (view: View) => void}} World
 */

/** A courier's visit to one tag. */
export class Courier {
  /** @param {World} world */
  constructor(world) {
    this.world = world;
    this.isLeaving = false;
    /** @type {View} */
    this.view = {
      state: "IDLE",
      recordCount: 0,
      doneShare: 0,
      leftS: null,
      headSeq: -1,
      ready: null,
      isOffered: false,
      takenCount: 0,
      alarms: [],
      signed: "",
      reconnectCount: 0,
      problem: null,
    };
  }

  /** Connects, syncs and delivers; READY or TROUBLE when it resolves. Never throws VisitError. */
  async begin() {
    this.#go("CONNECTING", { problem: null, reconnectCount: 0, leftS: null });
    await this.#resumed();
  }

  /**
   * Signs that the box is given away.
   * @param {import("./visitor.js").DockNote} note
   */
  handOver(note) {
    return this.#sign("offer", () => this.world.visitor.offer(note));
  }

  /**
   * Signs that the box was taken over.
   * @param {import("./visitor.js").DockNote} note
   */
  takeOver(note) {
    return this.#sign("accept", () => this.world.visitor.accept(note));
  }

  /** Ends the visit, whatever its state. Never throws. */
  async end() {
    this.isLeaving = true;
    await this.world.visitor.close();
    const { state } = this.view;
    if (TABLE[state].includes("DONE")) this.#go("DONE");
  }

  /**
   * @param {"offer" | "accept"} signed
   * @param {() => Promise<Uint8Array>} sign
   */
  async #sign(signed, sign) {
    this.#go("SIGNING", { problem: null, reconnectCount: 0 });
    try {
      await sign();
      this.#show({ signed });
    } catch (fault) {
      if (!(fault instanceof VisitError)) throw fault;
      const problem = { message: fault.message, hint: fault.hint };
      // The tag carries out a repeated handover once: signing again is harmless.
      this.#go(this.world.visitor.isConnected ? "READY" : "TROUBLE", { problem });
      return;
    }
    await this.#resumed(); // the handover's own record: it is evidence now
  }

  /** Once through, from wherever the visit stands. */
  async #visit() {
    const { visitor } = this.world;
    if (!visitor.isConnected) {
      if (this.view.state !== "CONNECTING") this.#go("CONNECTING");
      const ready = await visitor.connect();
      this.#show({ ready, headSeq: ready.headSeq });
    }
    await this.#sync();
    await this.#carry();
  }

  async #sync() {
    const { visitor, evidence, nowMs } = this.world;
    this.#go("SYNCING", { recordCount: 0, doneShare: 0, leftS: null });
    const beganMs = nowMs();
    const firstSeq = await evidence.firstMissing();
    const found = await visitor.sync(evidence, (/** @type {any} */ progress) =>
      this.#show(estimate(progress, firstSeq, nowMs() - beganMs)),
    );
    this.#show({ doneShare: 1, leftS: 0, headSeq: found.headSeq });
  }

  async #carry() {
    const { visitor, pouch, nowMs } = this.world;
    this.#go("CARRYING");
    const { takenCount, alarms } = await bring(visitor, pouch, nowMs());
    const isOffered = mayHandOver(visitor.ready) && (await visitor.pending()) !== null;
    this.#go("READY", { takenCount: this.view.takenCount + takenCount, alarms, isOffered });
  }

  /** Visits, again after each loss of the link, as often as that is sensible. */
  async #resumed() {
    for (let count = 0; ; count += 1) {
      try {
        await this.#visit();
        return;
      } catch (fault) {
        if (!(fault instanceof VisitError || fault instanceof DOMException)) throw fault;
        const isLink = fault instanceof LinkError;
        // Every new try begins with a new session: the old one may be half alive at the tag.
        await this.world.visitor.close();
        if (!isLink || count === RECONNECTS_MAX || this.isLeaving) {
          this.#go("TROUBLE", { problem: problemOf(fault) });
          return;
        }
        this.#go("WAITING", { reconnectCount: count + 1, problem: problemOf(fault) });
      }
      await this.world.pause(PAUSE_MS);
      if (this.isLeaving) return;
      this.#go("CONNECTING", { problem: null });
    }
  }

  /**
   * @param {State} state
   * @param {Partial<View>} [more]
   */
  #go(state, more = {}) {
    if (!TABLE[this.view.state].includes(state)) {
      throw new RangeError(`no way from ${this.view.state} to ${state}`);
    }
    this.#show({ ...more, state });
  }

  /** @param {Partial<View>} more */
  #show(more) {
    this.view = { ...this.view, ...more };
    this.world.onChange(this.view);
  }
}

/**
 * Share and seconds left of a sync that began at *firstSeq*.
 * @param {{nextSeq: number, headSeq: number, recordCount: number}} progress
 * @param {number} firstSeq
 * @param {number} elapsedMs
 * @returns {{recordCount: number, headSeq: number, doneShare: number, leftS: number | null}}
 */
export function estimate({ nextSeq, headSeq, recordCount }, firstSeq, elapsedMs) {
  const allCount = Math.max(1, headSeq + 1 - firstSeq);
  const doneShare = Math.min(1, Math.max(0, (nextSeq - firstSeq) / allCount));
  const isKnown = elapsedMs >= RATE_FROM_MS && doneShare > 0;
  const leftS = isKnown ? Math.ceil((elapsedMs / doneShare - elapsedMs) / 1000) : null;
  return { recordCount, headSeq, doneShare, leftS };
}

/** @param {any} ready */
function mayHandOver(ready) {
  return Boolean(ready && ready.scope & SCOPE.SCOPE_HANDOVER);
}

/** @param {VisitError | DOMException} fault */
function problemOf(fault) {
  if (fault instanceof VisitError) {
    const hint = fault instanceof AccessRefused ? fault.hint : fault.hint || "Try again.";
    return { message: fault.message, hint };
  }
  const message = `This phone cannot keep the records (${fault.name}).`;
  return { message, hint: "Free some space; the tag still has them." };
}
