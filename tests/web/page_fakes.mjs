// SPDX-License-Identifier: MIT
/** What the page's flow is tested on, without browser: database, visitor, archive in memory. */

import { LinkError } from "../../host_tools/sealtrail/phone/static/errors.js";
import { sha256, toHex } from "../../host_tools/sealtrail/phone/static/octets.js";

/** As database.js, in memory; it can be full. */
export class FakeDatabase {
  stores = new Map();
  isFull = false;

  #of(store) {
    if (!this.stores.has(store)) this.stores.set(store, new Map());
    return this.stores.get(store);
  }

  async get(store, key) {
    return this.#of(store).get(key);
  }

  async keys(store) {
    return [...this.#of(store).keys()];
  }

  async write(changes) {
    if (this.isFull) throw new DOMException("full", "QuotaExceededError");
    for (const { store, key, value, merge, ifMark } of changes) {
      const held = this.#of(store).get(key);
      if (ifMark !== undefined && held?.mark !== ifMark) continue;
      const next = merge === undefined ? value : { ...held, ...merge };
      if (next === undefined) this.#of(store).delete(key);
      else this.#of(store).set(key, next);
    }
  }
}

/** Evidence of *count* short "records" of one byte and its number. */
export class FakeEvidence {
  constructor(tag, count) {
    this.tag = tag;
    this.certificate = Uint8Array.of(0xce);
    this.all = Array.from({ length: count }, (_, seq) => Uint8Array.of(0xd2, seq));
  }

  get headSeq() {
    return this.all.length - 1;
  }

  async firstMissing() {
    return this.all.length;
  }

  async prevHash(seq) {
    const before = seq === 0 ? this.certificate : this.all[seq - 1];
    return before ? sha256(before) : null;
  }

  async numbered(firstSeq, lastSeq) {
    return this.all.slice(firstSeq, lastSeq + 1).map((record, index) => ({ number: firstSeq + index, record }));
  }

  async statements() {
    return [];
  }
}

/** A tag's visitor; `faults` are thrown, one at each call of what they name. */
export class FakeVisitor {
  isConnected = false;
  ready = { scope: 0x0f, headSeq: 9, isSure: true };
  faults = [];
  said = [];
  answers = new Map();
  offerThere = null;

  #fault(name) {
    this.said.push(name);
    if (this.faults[0]?.at === name) throw this.faults.shift().fault;
  }

  async connect() {
    this.#fault("connect");
    this.isConnected = true;
    return this.ready;
  }

  async sync(evidence, onProgress) {
    onProgress({ nextSeq: 5, headSeq: 9, recordCount: 5, size: 50 });
    this.#fault("sync");
    return { nextSeq: 10, headSeq: 9, recordCount: 10, size: 100 };
  }

  async ask(op, args) {
    this.#fault(`ask ${op}`);
    return { code: 0, content: new Uint8Array(0), ...this.answers.get(op) };
  }

  async pending() {
    this.#fault("pending");
    return this.offerThere;
  }

  async offer() {
    this.#fault("offer");
    return new Uint8Array(1);
  }

  async accept() {
    this.#fault("accept");
    return new Uint8Array(1);
  }

  async close() {
    this.said.push("close");
    this.isConnected = false;
  }
}

/** A radio that failed. */
export function lost() {
  return new LinkError("The link to the tag was lost.", "Go nearer.");
}

/** An archive that holds *held* and remembers what it was sent. */
export class FakeArchive {
  bodies = [];
  statements = [];
  isDown = false;
  refuse = null;

  constructor(tag, held = {}) {
    this.held = { tid: tag, head: -1, head_hash: "", loose: [], ...held };
  }

  async put(body) {
    if (this.isDown) throw lost();
    this.bodies.push(toHex(body));
    if (body.length > 1 && this.refuse) return { ...this.held, refused: this.refuse };
    return { ...this.held, new: body.length > 1 ? 1 : 0 };
  }

  async carry() {
    return { statements: this.statements };
  }

  async timeToken() {
    throw lost();
  }
}
