// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The keys that one enrolment of a tag has signed with, each vouched for by the one before, and
 * whether an attestation is signed by the one in force (docs/access-protocol.md, 5.6 and H5).
 *
 * What the tag says is believed as far as its signatures lead from the certificate; every loop
 * is bounded. No I/O: what is missing is asked for through *ask*.
 */

import { CborRefused, itemEnd } from "./cbor.js";
import { keyIn } from "./certificate.js";
import { openEnvelope, VerifyingKey } from "./cose.js";
import { EvidenceRefused, Incomplete } from "./errors.js";
import { isSame, uintAt } from "./octets.js";
import { KIND, readPayload } from "./payload.js";
import { LIMIT } from "./protocol.js";
import { Refusal } from "./refusal.js";

const HEAD_SIZE = 8;
// 64 records looked at or one key each: far beyond what a tag's flash holds.
const REQUESTS_MAX = 2048;
const EXAMINE = "Sign nothing; have the tag examined.";

/** A key and the record that put it in force: it signs from *seq* + 1 on.
 * @typedef {{seq: number, key: Uint8Array}} KnownKey
 */

/** The chain as far as it is known. */
export class KeyChain {
  /**
   * Throws EvidenceRefused for a certificate that names no key.
   * @param {Uint8Array} certificate
   * @param {KnownKey[]} [known] what an earlier visit has verified
   */
  constructor(certificate, known = []) {
    this.certified = orRefused("the ticket's certificate", () => keyIn(certificate));
    this.known = [...known];
  }

  /** Number of the newest key-epoch record known; -1 while there is none. */
  get newestSeq() {
    return this.known.length ? this.known[this.known.length - 1].seq : -1;
  }

  /**
   * The key in force behind record *seq*: it signs an attestation of that head.
   * @param {number} seq
   * @returns {VerifyingKey}
   */
  keyBehind(seq) {
    const passed = this.known.filter((one) => one.seq <= seq);
    return passed.length ? new VerifyingKey(passed[passed.length - 1].key) : this.certified;
  }

  /**
   * Adds the key of the next key-epoch record. False where its signature is not of the key
   * before; throws EvidenceRefused for everything else that is not to be believed.
   * @param {Uint8Array} item
   * @returns {Promise<boolean>}
   */
  async take(item) {
    const { envelope, seq, key } = keyRecord(item);
    if (seq <= this.newestSeq) throw refused(`key record ${seq} behind ${this.newestSeq}`);
    if (this.certified.is(key) || this.known.some((one) => isSame(one.key, key))) {
      throw refused(`key record ${seq} puts an earlier key in force again`);
    }
    if (new VerifyingKey(key).isEd25519 !== this.certified.isEd25519) {
      throw refused(`key record ${seq}: the key does not fit the algorithm`);
    }
    if (!(await this.keyBehind(this.newestSeq).holds(envelope))) return false;
    this.known.push({ seq, key });
    return true;
  }

  /**
   * Whether the key in force behind record *headSeq* has signed *signed*.
   * @param {Uint8Array} signed
   * @param {number} headSeq
   * @returns {Promise<boolean>}
   */
  async holds(signed, headSeq) {
    const envelope = orRefused("the attestation", () => openEnvelope(signed));
    return this.keyBehind(headSeq).holds(envelope);
  }
}

/**
 * Returns if the key in force behind *headSeq* has signed *signed*; *chain* may have grown.
 * Throws EvidenceRefused for a false attestation or chain, Incomplete where the tag no longer
 * holds what would prove it, and what *ask* throws.
 * @param {KeyChain} chain
 * @param {Uint8Array} signed
 * @param {number} headSeq
 * @param {(fromSeq: number) => Promise<Uint8Array>} ask content of one KEYS answer
 */
export async function checkAttestation(chain, signed, headSeq, ask) {
  if (headSeq < chain.newestSeq) {
    throw refused(`the tag's log ends at record ${headSeq}, before ${chain.newestSeq}`);
  }
  if (await chain.holds(signed, headSeq)) return;
  const gap = await extend(chain, ask);
  if (await chain.holds(signed, headSeq)) return;
  if (gap === null) throw refused("the attestation is not signed by this tag's key");
  throw new Incomplete(
    `The tag has overwritten its records ${gap[0]} to ${gap[1] - 1}: unproven, not forged.`,
    "Nothing was signed. Whoever has visited this tag before can sign.",
  );
}

/**
 * Takes every newer key; the overwritten stretch [from, to) if there is one, else null.
 * @param {KeyChain} chain
 * @param {(fromSeq: number) => Promise<Uint8Array>} ask
 * @returns {Promise<[number, number] | null>}
 */
async function extend(chain, ask) {
  /** @type {[number, number] | null} */
  let gap = null;
  let fromSeq = chain.newestSeq + 1;
  for (let count = 0; count < REQUESTS_MAX; count += 1) {
    const { heldSeq, nextSeq, records } = parseKeys(await ask(fromSeq), fromSeq);
    if (heldSeq > fromSeq && gap === null) gap = [fromSeq, heldSeq];
    for (const record of records) {
      if (!(await chain.take(record))) {
        if (gap === null) throw refused("a key record is not signed by the key before");
        return gap;
      }
    }
    if (nextSeq === null) return gap;
    if (chain.newestSeq >= nextSeq) throw refused("answers about keys go in a circle");
    fromSeq = nextSeq;
  }
  throw refused("answers about keys do not end");
}

/**
 * What one KEYS, asked from *fromSeq*, was answered with. *nextSeq* null: nothing is left.
 * Throws EvidenceRefused.
 * @param {Uint8Array} content
 * @param {number} fromSeq
 * @returns {{heldSeq: number, nextSeq: number | null, records: Uint8Array[]}}
 */
export function parseKeys(content, fromSeq) {
  if (content.length < HEAD_SIZE) throw refused("the answer about keys is malformed");
  const [heldSeq, nextSeq] = [uintAt(content, 0, 4), uintAt(content, 4, 4)];
  if (heldSeq < fromSeq) throw refused("the answer about keys is malformed");
  const isLast = nextSeq === LIMIT.KEYS_END;
  if (!isLast && nextSeq <= fromSeq) throw refused("answers about keys go in a circle");
  const records = [];
  for (let offset = HEAD_SIZE; offset < content.length; ) {
    const begin = offset;
    offset = orRefused("the key records", () => itemEnd(content, begin));
    records.push(content.slice(begin, offset));
  }
  return { heldSeq, nextSeq: isLast ? null : nextSeq, records };
}

/** @param {Uint8Array} item */
function keyRecord(item) {
  const envelope = orRefused("a key record", () => openEnvelope(item));
  const { kind, seq, nextKey, algorithm } = orRefused("a key record", () => readPayload(envelope));
  if (kind !== KIND.KEY_EPOCH || nextKey === null) throw refused(`record ${seq} is no key record`);
  if (!new VerifyingKey(nextKey).allows(algorithm)) {
    throw refused(`key record ${seq}: the algorithm does not fit the key`);
  }
  return { envelope, seq, key: nextKey };
}

/** @param {string} what */
function refused(what) {
  return new EvidenceRefused(`Not to be believed: ${what}.`, EXAMINE);
}

/**
 * What *read* gives; its refusal becomes EvidenceRefused.
 * @template T
 * @param {string} what
 * @param {() => T} read
 * @returns {T}
 */
function orRefused(what, read) {
  try {
    return read();
  } catch (fault) {
    const isOurs = fault instanceof Refusal || fault instanceof CborRefused;
    throw isOurs ? refused(`${what}: ${fault.reason}`) : fault;
  }
}
