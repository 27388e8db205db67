// SPDX-License-Identifier: MIT
// @ts-check
/** Where a visitor keeps records: what he needs of a store, and one in memory (for tests). */

import { sha256 } from "./octets.js";
import { linkOf } from "./record_link.js";

/**
 * Where records are kept. *append* resolves when they are durable, never before; *firstMissing*:
 * the first record from *fromSeq* on that is not held; *prevHash*: SHA-256 of the record (seq 0:
 * of the certificate) in front of *seq*, null where that is not held.
 * @typedef {{firstMissing(fromSeq?: number): Promise<number>,
 *   prevHash(seq: number): Promise<Uint8Array | null>,
 *   append(records: Uint8Array[]): Promise<void>}} EvidenceStore
 */

/**
 * How many records from *firstSeq*, which is missing, to before *endSeq* are not held.
 * @param {EvidenceStore} store
 * @param {number} firstSeq
 * @param {number} endSeq
 * @returns {Promise<number>}
 */
export async function countMissing(store, firstSeq, endSeq) {
  let count = 0;
  for (let seq = firstSeq; seq < endSeq; seq = await store.firstMissing(seq + 1)) count += 1;
  return count;
}

/** Keeps records by number as long as the program runs; a record held is never exchanged. */
export class MemoryStore {
  /** @param {Uint8Array} certificate */
  constructor(certificate) {
    this.certificate = certificate;
    /** @type {Map<number, Uint8Array>} */
    this.records = new Map();
    this.doubledCount = 0; // records that were given a second time
  }

  /** @param {number} [fromSeq] */
  async firstMissing(fromSeq = 0) {
    let seq = fromSeq;
    while (this.records.has(seq)) seq += 1;
    return seq;
  }

  /** @param {number} seq */
  async prevHash(seq) {
    const before = seq === 0 ? this.certificate : this.records.get(seq - 1);
    return before ? sha256(before) : null;
  }

  /** @param {Uint8Array[]} records */
  async append(records) {
    for (const record of records) {
      const link = linkOf(record);
      if (link === null) throw new RangeError("no record");
      if (this.records.has(link.seq)) this.doubledCount += 1;
      else this.records.set(link.seq, record);
    }
  }
}
