// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The evidence of one tag in the database: records by seq, statements by hash. Whatever is added
 * makes the tag due for upload in the same transaction: no cut leaves evidence that nobody sends.
 */

import { ofTag } from "./database.js";
import { sha256, toHex } from "./octets.js";
import { linkOf } from "./record_link.js";

/** One tag's evidence: an EvidenceStore (evidence_store.js), and what an upload needs. */
export class KeptEvidence {
  /**
   * @param {import("./database.js").Database} database
   * @param {string} tag hex of the tid
   * @param {Uint8Array} certificate
   * @param {number[]} seqs those that are held
   */
  constructor(database, tag, certificate, seqs) {
    this.database = database;
    this.tag = tag;
    this.certificate = certificate;
    this.held = new Set(seqs);
    this.headSeq = seqs.length ? seqs[seqs.length - 1] : -1;
  }

  /**
   * Reads which records are held.
   * @param {import("./database.js").Database} database
   * @param {string} tag
   * @param {Uint8Array} certificate
   * @returns {Promise<KeptEvidence>}
   */
  static async open(database, tag, certificate) {
    const keys = await database.keys("records", ofTag(tag));
    const seqs = keys.map(([, seq]) => seq);
    return new KeptEvidence(database, tag, certificate, seqs);
  }

  /** @param {number} [fromSeq] */
  async firstMissing(fromSeq = 0) {
    let seq = fromSeq;
    while (this.held.has(seq)) seq += 1;
    return seq;
  }

  /** @param {number} seq */
  async prevHash(seq) {
    const before = seq === 0 ? this.certificate : await this.record(seq - 1);
    return before ? sha256(before) : null;
  }

  /** @param {Uint8Array[]} records */
  async append(records) {
    const changes = [];
    const added = [];
    for (const record of records) {
      const link = linkOf(record);
      if (link === null) throw new RangeError("no record");
      if (this.held.has(link.seq)) continue; // a record held is never exchanged
      added.push(link.seq);
      changes.push({ store: "records", key: [this.tag, link.seq], value: record });
    }
    if (!added.length) return;
    await this.#writeDue(changes);
    for (const seq of added) this.held.add(seq);
    this.headSeq = Math.max(this.headSeq, ...added);
  }

  /**
   * Keeps a statement; one that is held already changes nothing.
   * @param {Uint8Array} statement
   */
  async addStatement(statement) {
    const key = [this.tag, toHex(await sha256(statement))];
    if (await this.database.get("statements", key)) return;
    await this.#writeDue([{ store: "statements", key, value: statement }]);
  }

  /** Makes the tag due for upload although nothing is new: to ask what to carry. */
  markDue() {
    return this.#writeDue([]);
  }

  /**
   * The record *seq*, else undefined.
   * @param {number} seq
   * @returns {Promise<Uint8Array | undefined>}
   */
  record(seq) {
    return this.database.get("records", [this.tag, seq]);
  }

  /**
   * The records *firstSeq* to *lastSeq* that are held, in order, with their numbers.
   * @param {number} firstSeq
   * @param {number} lastSeq included
   * @returns {Promise<{number: number, record: Uint8Array}[]>}
   */
  async numbered(firstSeq, lastSeq) {
    const range = IDBKeyRange.bound([this.tag, firstSeq], [this.tag, lastSeq]);
    const keys = await this.database.keys("records", range);
    const found = [];
    for (const [, number] of keys) {
      const record = await this.record(number);
      if (record) found.push({ number, record });
    }
    return found;
  }

  /**
   * Every statement kept of this tag.
   * @returns {Promise<Uint8Array[]>}
   */
  statements() {
    return this.database.all("statements", ofTag(this.tag));
  }

  /** @param {import("./database.js").Change[]} changes */
  #writeDue(changes) {
    // What is added while an upload runs has another mark: it stays due behind that upload.
    const mark = toHex(crypto.getRandomValues(new Uint8Array(8)));
    const due = { store: "outbox", key: this.tag, value: { mark, problem: "" } };
    return this.database.write([...changes, due]);
  }
}
