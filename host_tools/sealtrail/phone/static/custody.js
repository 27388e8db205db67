// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Who held the box: handovers judged one by one from the chain (record format, section 10).
 * A handover that does not hold is named and shown, never a reason to refuse the evidence.
 */

import { VerifyingKey } from "./cose.js";
import { isSame, sha256, toHex } from "./octets.js";
import { Refusal } from "./refusal.js";
import { readStatement, TYPE } from "./statement.js";

const [OFFER_EVENT, ACCEPT_EVENT] = [41, 42];
const ROLES = ["", "viewer", "courier", "site", "qa", "service"];
const FAR_S = 253_402_300_799; // the end of the year 9999, where calendars end

/** @typedef {import("./statement.js").RawStatement} RawStatement */
/** @typedef {{seq: number, code: number, content: any}} CustodyEvent */
/** @typedef {{statement: RawStatement, seq: number}} Seen */
/** @typedef {{name: string, role: string, isKnown: boolean, note: string}} Signer */
/**
 * One handover. *seq*: of the record that holds it; *claimedUtcS*, *zoneMin*: by the signer's
 * own clock. *keyNote*: why a registration that is there does not count.
 * @typedef {{verdict: string, giver: Signer | null, receiver: Signer | null, place: string,
 *   seals: string[], condition: number, claimedUtcS: number, zoneMin: number, seq: number,
 *   keyKnown: boolean, keyNote: string}} CustodyStep
 */

/** Reads OFFER and ACCEPT events in order. */
export class CustodyJudge {
  /**
   * @param {Uint8Array} tid
   * @param {Uint8Array[]} hashes SHA-256 of each record, by seq
   * @param {RawStatement[]} persons statements 25 whose signatures hold
   * @param {Set<string>} withdrawn kids, hex, whose persons do not count
   */
  constructor(tid, hashes, persons, withdrawn) {
    this.tid = tid;
    this.hashes = hashes;
    // The newest statement about a key comes first.
    this.persons = [...persons].sort((left, right) => right.fields.get(6) - left.fields.get(6));
    this.withdrawn = withdrawn;
    /** @type {Uint8Array | null} */
    this.holder = null;
    /** @type {Seen | null} */
    this.offer = null;
    /** @type {CustodyStep[]} */
    this.steps = [];
  }

  /**
   * The custody chain; each step with its verdict.
   * @param {CustodyEvent[]} events
   * @returns {Promise<CustodyStep[]>}
   */
  async judge(events) {
    for (const event of events) {
      if (event.code === OFFER_EVENT || event.code === ACCEPT_EVENT) await this.#take(event);
    }
    await this.#closeOffer();
    return this.steps;
  }

  /** @param {CustodyEvent} event */
  async #take(event) {
    const type = event.code === OFFER_EVENT ? TYPE.OFFER : TYPE.ACCEPT;
    let statement;
    try {
      statement = readStatement(event.content[2]);
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      this.steps.push(unreadable(event, fault));
      return;
    }
    const seen = { statement, seq: event.seq };
    if (!(await this.#holds(seen, type))) {
      await this.#add("bad signature", seen, type === TYPE.OFFER ? null : seen);
    } else if (type === TYPE.OFFER) await this.#takeOffer(seen);
    else await this.#takeAccept(seen);
  }

  /**
   * Signature, tag, and a head that really came before.
   * @param {Seen} seen
   * @param {number} type
   */
  async #holds({ statement, seq }, type) {
    const { fields } = statement;
    if (statement.type !== type || !isSame(fields.get(1), this.tid)) return false;
    const named = fields.get(2);
    if (named >= seq || !isSame(this.hashes[named], fields.get(3))) return false;
    return new VerifyingKey(fields.get(10)).holds(statement.envelope);
  }

  /** @param {Seen} seen */
  async #takeOffer(seen) {
    await this.#closeOffer();
    const giver = seen.statement.fields.get(10);
    if (this.holder !== null && !isSame(giver, this.holder)) {
      await this.#add("offered by another than the holder", seen, null);
      return;
    }
    this.holder = giver;
    this.offer = seen;
  }

  /** @param {Seen} seen */
  async #takeAccept(seen) {
    const { fields } = seen.statement;
    const hash = this.offer ? await sha256(this.offer.statement.raw) : null;
    if (this.offer !== null && isSame(fields.get(13), hash)) {
      const offer = this.offer;
      this.offer = null;
      await this.#add(pairVerdict(offer.statement.fields, fields), offer, seen);
    } else {
      await this.#closeOffer();
      await this.#add("taken without giver", null, seen);
    }
    this.holder = fields.get(10);
  }

  async #closeOffer() {
    const offer = this.offer;
    this.offer = null;
    if (offer) await this.#add("offer not accepted", offer, null);
  }

  /**
   * @param {string} verdict
   * @param {Seen | null} offer
   * @param {Seen | null} accept
   */
  async #add(verdict, offer, accept) {
    const last = /** @type {Seen} */ (accept ?? offer);
    const { fields } = last.statement;
    const giver = offer && (await this.#signer(offer.statement));
    const receiver = accept && (await this.#signer(accept.statement));
    const signers = [giver, receiver].filter((one) => one !== null);
    this.steps.push({
      verdict,
      giver,
      receiver,
      place: fields.get(7) ?? "",
      seals: fields.get(9) ?? [],
      condition: fields.get(12) ?? 0,
      claimedUtcS: fields.get(5) ?? 0,
      zoneMin: fields.get(6) ?? 0,
      seq: last.seq,
      keyKnown: signers.every((one) => one.isKnown),
      keyNote: signers.flatMap((one) => one.note || []).join("; "),
    });
  }

  /**
   * @param {RawStatement} statement
   * @returns {Promise<Signer>}
   */
  async #signer({ fields }) {
    const [key, atS] = [fields.get(10), fields.get(5) ?? 0];
    const reasons = [];
    for (const person of this.persons.filter((one) => isSame(one.fields.get(1), key))) {
      const [number, name] = [person.fields.get(2), person.fields.get(3)];
      const reason = this.#whyNot(person, atS);
      const role = ROLES[number] || `role ${number}`;
      if (!reason) return { name, role, isKnown: true, note: "" };
      reasons.push(`the key of '${name}' ${reason}`);
    }
    const name = `key ${toHex(await sha256(key)).slice(0, 16)}`;
    return { name, role: "", isKnown: false, note: reasons[0] ?? "" };
  }

  /**
   * Why a registration does not count for *atS*; "" if it does.
   * @param {RawStatement} person
   * @param {number} atS
   */
  #whyNot(person, atS) {
    const [begin, end] = [person.fields.get(4), person.fields.get(5)];
    if (person.kid !== null && this.withdrawn.has(toHex(person.kid))) {
      return "was registered by a service key that was withdrawn";
    }
    if (atS < begin) return `was not valid before ${dayOf(begin)}`;
    return atS > end ? `had expired on ${dayOf(end)}` : "";
  }
}

/**
 * @param {Map<number, any>} offer
 * @param {Map<number, any>} accept
 */
function pairVerdict(offer, accept) {
  if (offer.has(11) && !isSame(offer.get(11), accept.get(10))) {
    return "accepted by another than named";
  }
  const [given, taken] = [offer.get(9), accept.get(9)];
  const isAlike =
    given.length === taken.length &&
    given.every((/** @type {string} */ seal, /** @type {number} */ at) => seal === taken[at]);
  return isAlike ? "handed over" : "seals differ";
}

/** @param {number} utcS */
function dayOf(utcS) {
  return new Date(Math.min(utcS, FAR_S) * 1000).toISOString().slice(0, 10);
}

/**
 * @param {CustodyEvent} event
 * @param {Refusal} refusal
 * @returns {CustodyStep}
 */
function unreadable(event, refusal) {
  return {
    verdict: "bad signature",
    giver: null,
    receiver: null,
    place: `statement unreadable: ${refusal.reason}`,
    seals: [],
    condition: 0,
    claimedUtcS: 0,
    zoneMin: 0,
    seq: event.seq,
    keyKnown: false,
    keyNote: "",
  };
}
