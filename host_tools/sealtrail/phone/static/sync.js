// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The host's end of a sync, without I/O: replies and bulk chunks in, commands and records out.
 *
 * A record is believed only when the next one, or the head in the MACed reply, names its hash;
 * only what its store has made durable is acknowledged. docs/sync-protocol.md is normative;
 * HOST_TABLE is its table 7.2. Memory: one credit window of records.
 */

import { seqOf } from "./access.js";
import { isSame, join, sha256, uintBytes } from "./octets.js";
import { CODE, LIMIT, OP } from "./protocol.js";
import { linkOf, sizeAt } from "./record_link.js";

/** State, event, next state. An event that a state does not have does not happen in it. */
export const HOST_TABLE = Object.freeze({
  IDLE: { start: "ASKING" },
  ASKING: { silence: "ASKING", reply: "RECEIVING", complete: "DONE", fail: "FAILED" },
  RECEIVING: {
    reply: "RECEIVING",
    silence: "RECEIVING",
    refetch: "ASKING",
    complete: "DONE",
    fail: "FAILED",
  },
  DONE: {},
  FAILED: {},
});

// Silent seconds answered with a repeated ACK before SYNC itself is said again.
const ACKS_BEFORE_RESYNC = 2;
const NOTHING = new Uint8Array(0);

/**
 * A sync that cannot go on. *reason*: "stalled" and "gap" are the link's: reconnect and resume.
 * "refused" (*where*: code), "scope" and "gone" (first seq to be had), "behind", "fork",
 * "chain", "form" (seq): repeating does not cure them.
 */
export class SyncError extends Error {
  /**
   * @param {string} reason
   * @param {number} where
   */
  constructor(reason, where) {
    super(`${reason} at ${where}`);
    this.reason = reason;
    this.where = where;
  }
}

/**
 * The arguments of SYNC and ACK: first record not held, and credit in records.
 * @param {number} firstSeq
 * @param {number} credit
 * @returns {Uint8Array}
 */
export function packSync(firstSeq, credit) {
  return join(uintBytes(firstSeq, 4), uintBytes(credit, 2));
}

/**
 * The caller sends what `takeCommand` gives, feeds replies and chunks in the order in which they
 * arrived, each awaited before the next, makes `takeRecords` durable and then calls `stored`.
 * Times are milliseconds of any clock that only goes forward.
 */
export class HostSync {
  /**
   * @param {number} nextSeq the first record not held
   * @param {Uint8Array | null} prevHash SHA-256 of the record before it, null: not known
   * @param {{credit?: number, nextFrame?: number}} [options] *nextFrame*: the bulk frame that
   *   comes next, where this session had a sync before
   */
  constructor(nextSeq, prevHash, { credit = LIMIT.CREDIT_DEFAULT, nextFrame = 0 } = {}) {
    this.state = "IDLE";
    this.nextSeq = nextSeq; // first record not confirmed
    this.headSeq = -1;
    this.headHash = NOTHING;
    this.refetchCount = 0;
    this.nextFrame = nextFrame;
    this.credit = Math.max(LIMIT.CREDIT_MIN, credit);
    this.prevHash = prevHash; // of record nextSeq - 1
    this.askedSeq = this.ackedSeq = this.durableSeq = nextSeq;
    this.stream = NOTHING; // bytes that do not make up a record yet
    this.streamSeq = nextSeq; // the record that must come next in the stream
    /** @type {{record: Uint8Array, hash: Uint8Array} | null} record nextSeq, not confirmed yet */
    this.pending = null;
    /** @type {Uint8Array[]} */
    this.confirmed = [];
    /** @type {{op: number, args: Uint8Array} | null} */
    this.command = null;
    this.tries = 0; // re-fetches since the last confirmed record
    this.silentCount = this.heardMs = this.progressMs = 0;
    this.isBusy = false;
  }

  /** True once every record up to the head was confirmed and taken. */
  get isDone() {
    return this.state === "DONE" && !this.confirmed.length;
  }

  /**
   * Begins: the first command is SYNC.
   * @param {number} nowMs
   */
  start(nowMs) {
    this.#go("start");
    this.progressMs = nowMs;
    this.#ask(nowMs);
  }

  /** What is to be sent now, or null. */
  takeCommand() {
    const command = this.command;
    this.command = null;
    return command;
  }

  /** The records confirmed since the last call, in order, byte for byte. */
  takeRecords() {
    return this.confirmed.splice(0);
  }

  /** Everything taken so far is durable: only now may it be acknowledged. */
  stored() {
    this.durableSeq = this.nextSeq - this.confirmed.length;
    const isDue = this.durableSeq - this.ackedSeq >= Math.floor(this.credit / 2);
    if (isDue || this.isDone) this.#acknowledge();
  }

  /**
   * The answer to the last SYNC: what follows it is a new stream. Throws SyncError.
   * @param {number} code
   * @param {Uint8Array} content
   * @param {number} nowMs
   */
  onReply(code, content, nowMs) {
    if (this.state === "DONE") return;
    if (code !== CODE.OK) this.#refused(code, content);
    if (content.length !== 36) throw this.#fail("form", this.nextSeq);
    this.headSeq = seqOf(content);
    this.headHash = content.slice(4);
    this.#restart(nowMs);
    if (this.headSeq + 1 < this.nextSeq) throw this.#fail("behind", this.headSeq);
    if (this.headSeq + 1 > this.nextSeq) this.#go("reply");
    else if (this.prevHash !== null && !isSame(this.prevHash, this.headHash)) {
      throw this.#fail("fork", this.headSeq);
    } else this.#go("complete");
  }

  /**
   * One bulk frame, decrypted. Throws SyncError when asking again is of no use.
   * @param {number} number
   * @param {Uint8Array} chunk
   * @param {number} nowMs
   */
  async onBulk(number, chunk, nowMs) {
    if (this.isBusy) throw new Error("frames are fed one after the other");
    if (number < this.nextFrame) return; // Said twice by the carrier; never by the tag.
    const isGap = number > this.nextFrame;
    this.nextFrame = number + 1;
    if (this.state !== "RECEIVING") return; // The rest of a stream that was given up.
    this.heardMs = this.progressMs = nowMs;
    this.silentCount = 0;
    if (isGap) {
      this.#refetch("gap", nowMs);
      return;
    }
    this.stream = join(this.stream, chunk);
    this.isBusy = true;
    const reason = await this.#split().finally(() => {
      this.isBusy = false;
    });
    if (reason) this.#refetch(reason, nowMs);
  }

  /**
   * To be called at least once a second. Throws SyncError("stalled") after STALL_MS.
   * @param {number} nowMs
   */
  tick(nowMs) {
    const isAsking = this.state === "ASKING";
    if (!isAsking && this.state !== "RECEIVING") return;
    if (nowMs - this.progressMs >= LIMIT.STALL_MS) throw this.#fail("stalled", this.nextSeq);
    if (nowMs - this.heardMs < (isAsking ? LIMIT.REPLY_TIMEOUT_MS : LIMIT.SILENCE_MS)) return;
    this.#go("silence");
    this.heardMs = nowMs;
    this.silentCount += 1;
    if (isAsking) this.#ask(nowMs);
    else if (this.silentCount <= ACKS_BEFORE_RESYNC) this.#acknowledge(); // the credit was lost
    else this.#refetch("gap", nowMs); // the end of the stream may have been lost
  }

  /** @param {string} event */
  #go(event) {
    /** @type {Record<string, Record<string, string>>} */
    const table = HOST_TABLE;
    const next = table[this.state][event];
    if (!next) throw new Error(`no ${event} in ${this.state}`);
    this.state = next;
  }

  /**
   * @param {string} reason
   * @param {number} where
   */
  #fail(reason, where) {
    this.#go("fail");
    return new SyncError(reason, where);
  }

  /**
   * @param {number} code
   * @param {Uint8Array} content
   */
  #refused(code, content) {
    const seq = content.length === 4 ? seqOf(content) : -1;
    if (code === CODE.NO_SCOPE && content.length === 4) throw this.#fail("scope", seq);
    if (code === CODE.BAD_STATE && seq > this.nextSeq) throw this.#fail("gone", seq);
    throw this.#fail("refused", code);
  }

  /** @param {number} nowMs */
  #ask(nowMs) {
    this.askedSeq = this.ackedSeq = this.nextSeq;
    this.command = { op: OP.SYNC, args: packSync(this.nextSeq, this.credit) };
    this.heardMs = nowMs;
  }

  #acknowledge() {
    this.ackedSeq = this.durableSeq;
    this.command = { op: OP.ACK, args: packSync(this.durableSeq, this.credit) };
  }

  /** @param {number} nowMs */
  #restart(nowMs) {
    this.stream = NOTHING;
    this.streamSeq = this.askedSeq;
    this.pending = null;
    this.silentCount = 0;
    this.heardMs = nowMs;
  }

  /**
   * Asks again from the first record not confirmed, but not for ever.
   * @param {string} reason
   * @param {number} nowMs
   */
  #refetch(reason, nowMs) {
    this.tries += 1;
    this.refetchCount += 1;
    if (this.tries > LIMIT.REFETCH_MAX) throw this.#fail(reason, this.nextSeq);
    this.#go("refetch");
    this.#restart(nowMs);
    this.#ask(nowMs);
  }

  /** Takes whole records off the stream. Why it is broken, or null. */
  async #split() {
    let offset = 0;
    let reason = null;
    while (this.state === "RECEIVING" && reason === null) {
      const size = sizeAt(this.stream, offset);
      if (size === null) break;
      reason = size ? await this.#accept(this.stream.slice(offset, offset + size)) : "form";
      offset += size;
    }
    this.stream = this.stream.slice(offset);
    return reason;
  }

  /**
   * Takes one record. Why it does not fit, or null.
   * @param {Uint8Array} record
   */
  async #accept(record) {
    const link = linkOf(record);
    if (link === null || link.seq !== this.streamSeq) return "form";
    this.streamSeq += 1;
    if (link.seq < this.nextSeq) return null; // Confirmed before this stream was asked for.
    const before = this.pending ? this.pending.hash : this.prevHash;
    if (before !== null && !isSame(link.prevHash, before)) return "chain";
    if (this.pending) this.#confirm(this.pending);
    this.pending = { record, hash: await sha256(record) };
    if (link.seq !== this.headSeq) return null;
    if (!isSame(this.pending.hash, this.headHash)) return "chain";
    this.#confirm(this.pending);
    this.#go("complete");
    return null;
  }

  /** @param {{record: Uint8Array, hash: Uint8Array}} pending */
  #confirm({ record, hash }) {
    this.confirmed.push(record);
    this.prevHash = hash;
    this.pending = null;
    this.nextSeq += 1;
    this.tries = 0;
  }
}
