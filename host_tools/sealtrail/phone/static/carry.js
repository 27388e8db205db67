// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What lies ready for one tag (its pouch), and bringing it. A tag that cannot take something now
 * is no reason to stop: the next visit tries again (docs/archive.md, 1.2).
 *
 * A pouch is kept under the tag's id: `{parcels, taken, nonces}`. *taken*: hashes (hex) of what
 * the tag has; *nonces*: of the tag, each waiting for a time token, at most 24 h.
 */

import { codeName, CODE, LIMIT, OP } from "./protocol.js";
import { sha256, toHex } from "./octets.js";
import { VisitError } from "./errors.js";

const ORDER = [OP.FLEET_NEXT, OP.SERVICE_CERT, OP.RECEIPT, OP.TIME_TOKEN];
const HAS_IT = [CODE.OK, CODE.STALE];
const ALARMING = [CODE.AHEAD, CODE.FORK]; // what a receipt met proves a fault of the tag (R2)
const TAKEN_MAX = 256;
const NONCES_MAX = 4;
const NONCE_LIFE_MS = 24 * 3_600_000;

/** @typedef {import("./receipts.js").Parcel} Parcel */
/**
 * @typedef {{parcels: Parcel[], taken: string[],
 *   nonces: {nonce: Uint8Array, askedMs: number}[]}} Kept
 */

/** The pouch of one tag. */
export class Pouch {
  /**
   * @param {any} database
   * @param {string} tag hex of the tid
   * @param {Kept} kept
   */
  constructor(database, tag, kept) {
    this.database = database;
    this.tag = tag;
    this.kept = kept;
  }

  /**
   * The pouch of *tag*, empty where there is none.
   * @param {any} database
   * @param {string} tag
   * @returns {Promise<Pouch>}
   */
  static async load(database, tag) {
    const kept = await database.get("pouches", tag);
    return new Pouch(database, tag, kept ?? { parcels: [], taken: [], nonces: [] });
  }

  /**
   * What the tag has not taken yet, in the order of delivery.
   * @returns {Promise<Parcel[]>}
   */
  async due() {
    const found = [];
    for (const parcel of this.kept.parcels) {
      if (!this.kept.taken.includes(await hashOf(parcel.statement))) found.push(parcel);
    }
    return found.sort((left, right) => ORDER.indexOf(left.op) - ORDER.indexOf(right.op));
  }

  /**
   * Keeps *parcels* of the archive in the place of all but time tokens on their way.
   * @param {Parcel[]} parcels
   */
  async refill(parcels) {
    const tokens = (await this.due()).filter((one) => one.op === OP.TIME_TOKEN);
    await this.#keep({ ...this.kept, parcels: [...parcels, ...tokens] });
  }

  /**
   * The tag has these now: they are not brought again.
   * @param {Parcel[]} parcels
   */
  async noteTaken(parcels) {
    const hashes = await Promise.all(parcels.map((one) => hashOf(one.statement)));
    const taken = [...this.kept.taken, ...hashes].slice(-TAKEN_MAX);
    await this.#keep({ ...this.kept, taken });
  }

  /**
   * A nonce of the tag that waits for a time token.
   * @param {Uint8Array} nonce
   * @param {number} nowMs Unix ms
   */
  async addNonce(nonce, nowMs) {
    const nonces = [...this.kept.nonces, { nonce, askedMs: nowMs }].slice(-NONCES_MAX);
    await this.#keep({ ...this.kept, nonces });
  }

  /**
   * The archive has answered *nonce*.
   * @param {Uint8Array} nonce
   * @param {Uint8Array} token
   */
  async addToken(nonce, token) {
    const nonces = this.kept.nonces.filter((one) => toHex(one.nonce) !== toHex(nonce));
    const parcels = [...this.kept.parcels, { op: OP.TIME_TOKEN, statement: token }];
    await this.#keep({ ...this.kept, nonces, parcels });
  }

  /**
   * Nonces that the tag still knows.
   * @param {number} nowMs Unix ms
   */
  liveNonces(nowMs) {
    return this.kept.nonces
      .filter((one) => nowMs - one.askedMs < NONCE_LIFE_MS)
      .map((one) => one.nonce);
  }

  /** @param {Kept} kept */
  async #keep(kept) {
    // A cut before this leaves the older pouch: what it holds is brought once more.
    this.kept = kept; // at once: an upload and a visit may both be at work on it
    await this.database.write([{ store: "pouches", key: this.tag, value: kept }]);
  }
}

/**
 * Brings what is due, and asks the tag for a nonce where its clock needs it. Throws LinkError when
 * the link breaks; what was taken before is noted. The names of alarming answers.
 * @param {any} visitor
 * @param {Pouch} pouch
 * @param {number} nowMs Unix ms
 * @returns {Promise<{takenCount: number, alarms: string[]}>}
 */
export async function bring(visitor, pouch, nowMs) {
  /** @type {Parcel[]} */
  const taken = [];
  const alarms = [];
  try {
    for (const parcel of await pouch.due()) {
      const { code } = await visitor.ask(parcel.op, parcel.statement);
      if (HAS_IT.includes(code)) taken.push(parcel);
      else if (ALARMING.includes(code)) alarms.push(codeName(code));
    }
    if (!visitor.ready?.isSure) await askNonce(visitor, pouch, nowMs);
  } finally {
    if (taken.length) await pouch.noteTaken(taken);
  }
  return { takenCount: taken.length, alarms };
}

/**
 * Asks the archive for the tokens of all live nonces; what it does not give out is left.
 * @param {Pouch} pouch
 * @param {import("./archive.js").Archive} archive
 * @param {number} nowMs Unix ms
 */
export async function fetchTokens(pouch, archive, nowMs) {
  for (const nonce of pouch.liveNonces(nowMs)) {
    try {
      await pouch.addToken(nonce, await archive.timeToken(pouch.tag, nonce));
    } catch (fault) {
      if (!(fault instanceof VisitError)) throw fault;
    }
  }
}

/**
 * @param {any} visitor
 * @param {Pouch} pouch
 * @param {number} nowMs
 */
async function askNonce(visitor, pouch, nowMs) {
  if (pouch.liveNonces(nowMs).length || (await hasToken(pouch))) return;
  const { code, content } = await visitor.ask(OP.TIME_NONCE);
  // A tag that cannot, or a ticket that may not: nothing is lost.
  const isNonce = code === CODE.OK && content.length === LIMIT.NONCE_SIZE;
  if (isNonce) await pouch.addNonce(content, nowMs);
}

/** @param {Pouch} pouch */
async function hasToken(pouch) {
  return (await pouch.due()).some((one) => one.op === OP.TIME_TOKEN);
}

/** @param {Uint8Array} statement */
async function hashOf(statement) {
  return toHex(await sha256(statement));
}
