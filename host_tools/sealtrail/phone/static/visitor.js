// SPDX-License-Identifier: MIT
// @ts-check
/**
 * What a visitor does with a tag: sync, attest, hand over, start and end trips.
 *
 * What arrives is checked by session keys and record links; what is believed about a shipment is
 * decided by verify.js, from the evidence alone.
 */

import { seqOf } from "./access.js";
import { encode } from "./cbor.js";
import {
  EvidenceRefused,
  InputError,
  LinkError,
  refusalOf,
  syncFailure,
  VisitError,
} from "./errors.js";
import { countMissing } from "./evidence_store.js";
import { checkAttestation, KeyChain } from "./key_chain.js";
import { isSame, sha256, uintBytes } from "./octets.js";
import { CODE, LIMIT, MESSAGE, OP } from "./protocol.js";
import { Refusal } from "./refusal.js";
import { readStatement, sealStatement, statementToSign, TYPE } from "./statement.js";
import { HostSync, SyncError } from "./sync.js";
import { openOrNull, VisitorSession } from "./visitor_session.js";

const BATCH_COUNT = LIMIT.CREDIT_DEFAULT / 4; // records collected before one transaction
const STARTS_MAX = 4; // a trip's first record, then what the tag overwrites meanwhile
const QUIET_MS = 50; // nothing more is on its way: store what there is

/**
 * What the signer of an offer or accept saw. *place* at most 48 bytes, at most 4 *seals* of 24;
 * *condition* 0: nothing to remark.
 * @typedef {{place: string, utcS: number, zoneMin: number, seals: string[],
 *   condition: number}} DockNote
 */
/** @typedef {{nextSeq: number, headSeq: number, recordCount: number, size: number}} Progress */
/**
 * @typedef {{signed: Uint8Array, seq: number, hash: Uint8Array,
 *   unsealedCount: number}} Attested
 */

/** One holder's visits to one tag. `connect` first; then what the ticket allows. */
export class Visitor extends VisitorSession {
  refetchCount = 0; // stretches of the stream that were asked for again
  goneCount = 0; // records that neither the tag nor the store holds any more
  /** @type {import("./key_chain.js").KnownKey[]} keys of the tag that were verified: to be kept */
  knownKeys = [];

  /**
   * Brings *store* up to the tag's head: what it returns for is durable. Throws LinkError when the
   * link stalls or breaks (connect and call again), EvidenceRefused when the tag's records do not
   * continue what is held.
   * @param {import("./evidence_store.js").EvidenceStore} store
   * @param {(progress: Progress) => void} [onProgress]
   * @returns {Promise<Progress>}
   */
  async sync(store, onProgress = () => {}) {
    let firstSeq = await store.firstMissing();
    let goneCount = 0;
    for (let count = 0; count < STARTS_MAX; count += 1) {
      try {
        return await this.#syncFrom(firstSeq, store, onProgress);
      } catch (fault) {
        if (!(fault instanceof SyncError)) throw fault;
        if (fault.reason !== "scope" && fault.reason !== "gone") throw syncFailure(fault);
        firstSeq = await store.firstMissing(firstSeq);
        if (fault.reason === "gone") {
          // Overwritten on the tag: what is not here either will never come.
          goneCount += await countMissing(store, firstSeq, fault.where);
          this.goneCount = goneCount;
        }
        firstSeq = await store.firstMissing(fault.where);
      }
    }
    throw new LinkError("The tag overwrites records faster than they come.", "Go nearer, repeat.");
  }

  /**
   * @param {number} firstSeq
   * @param {import("./evidence_store.js").EvidenceStore} store
   * @param {(progress: Progress) => void} onProgress
   */
  async #syncFrom(firstSeq, store, onProgress) {
    const options = { nextFrame: this.nextFrame };
    const host = new HostSync(firstSeq, await store.prevHash(firstSeq), options);
    const done = { nextSeq: firstSeq, headSeq: -1, recordCount: 0, size: 0 };
    let syncNumber = 0;
    host.start(this.nowMs());
    try {
      while (!host.isDone) {
        host.tick(this.nowMs());
        syncNumber = await this.#sayFor(host, syncNumber);
        const isQuiet = !(await this.#feed(host, syncNumber));
        const held = host.confirmed.length;
        // Durable before anything is said that tells the tag what is held.
        if (held && (isQuiet || host.state !== "RECEIVING" || held >= BATCH_COUNT)) {
          await keep(host, store, done);
          onProgress({ ...done });
        }
      }
      host.stored();
      await this.#sayFor(host, syncNumber); // the last ACK
    } catch (fault) {
      const isExpected = fault instanceof VisitError || fault instanceof SyncError;
      if (isExpected && host.confirmed.length) await keep(host, store, done); // dear on a bad link
      throw fault;
    } finally {
      this.nextFrame = host.nextFrame;
      this.refetchCount += host.refetchCount;
    }
    this.head = { seq: host.headSeq, hash: host.headHash };
    return { ...done, nextSeq: host.nextSeq, headSeq: host.headSeq };
  }

  /**
   * Sends what *host* wants sent; the number of the last SYNC.
   * @param {HostSync} host
   * @param {number} syncNumber
   */
  async #sayFor(host, syncNumber) {
    const command = host.takeCommand();
    if (command === null) return syncNumber;
    const number = await this.say(command.op, command.args);
    return command.op === OP.SYNC ? number : syncNumber;
  }

  /**
   * Gives *host* what has arrived. False if nothing came for a moment.
   * @param {HostSync} host
   * @param {number} syncNumber
   */
  async #feed(host, syncNumber) {
    const inbound = await this.link.receive(QUIET_MS);
    if (inbound === null) return false;
    const { fromTag } = this;
    const { isBulk, content } = inbound;
    if (isBulk && fromTag) {
      const found = await openOrNull(() => fromTag.openBulk(content));
      if (found) await host.onBulk(found.number, found.chunk, this.nowMs());
    } else if (content[0] === MESSAGE.REPLY || content[0] === MESSAGE.REFUSE) {
      const { number, body } = await this.opened(content);
      if (number === syncNumber) host.onReply(body[1], body.slice(2), this.nowMs());
    }
    return true;
  }

  /**
   * Has the tag sign its head together with *nonce* (16 bytes). The signature is for verify.js.
   * @param {Uint8Array} nonce
   * @returns {Promise<Attested>}
   */
  async attest(nonce) {
    const signed = await this.command(OP.ATTEST, nonce);
    const { type, fields } = readOrRefused(signed);
    const isOurs = isSame(fields.get(1), this.ticket.tid) && isSame(fields.get(4), nonce);
    if (type !== TYPE.ATTEST || !isOurs) {
      throw new EvidenceRefused("The attestation is not for this tag and this nonce.");
    }
    this.head = { seq: fields.get(2), hash: fields.get(3) };
    return { signed, ...this.head, unsealedCount: fields.get(7) };
  }

  /** The tag's head seq, -1 when there is no record. */
  async status() {
    return seqOf(await this.command(OP.STATUS));
  }

  /**
   * Arms the tag. *commitment*: 32 bytes; *profile*: compact CBOR.
   * @param {number} number
   * @param {Uint8Array} commitment
   * @param {Uint8Array} profile
   */
  async tripStart(number, commitment, profile) {
    /** @type {[number, unknown][]} */
    const fields = [
      [1, number],
      [2, commitment],
      [3, profile],
    ];
    await this.command(OP.TRIP, encode(new Map(fields)));
    this.trip = number;
  }

  /** Ends the open trip; the tickets of that trip are dead from now on. */
  async tripEnd() {
    await this.command(OP.TRIP_END);
    this.trip = 0;
  }

  /**
   * Signs an offer over the tag's present head and leaves it there; the statement. *receiver*: the
   * public key (32 bytes) of whom alone it is for, if that is known.
   * @param {DockNote} note
   * @param {Uint8Array | null} [receiver]
   * @returns {Promise<Uint8Array>}
   */
  async offer(note, receiver = null) {
    const signed = await this.#custody(TYPE.OFFER, note, receiver ? [[11, receiver]] : []);
    await this.command(OP.OFFER, signed);
    return signed;
  }

  /** The offer that waits at the tag, as it was signed; null if there is none. */
  async pending() {
    const { code, content } = await this.ask(OP.PENDING);
    if (code === CODE.BAD_STATE) return null;
    if (code !== CODE.OK) throw refusalOf(code);
    return content;
  }

  /**
   * Signs that the box was taken over, naming the offer that waits; without one it says so too.
   * @param {DockNote} note
   * @returns {Promise<Uint8Array>}
   */
  async accept(note) {
    const offer = await this.pending();
    const named = offer === null ? [] : [[13, await sha256(offer)]];
    const signed = await this.#custody(TYPE.ACCEPT, note, /** @type {any} */ (named));
    await this.command(OP.ACCEPT, signed);
    return signed;
  }

  /**
   * @param {number} type
   * @param {DockNote} note
   * @param {[number, Uint8Array][]} more
   */
  async #custody(type, note, more) {
    // H5: the head comes from an attestation made now and signed by the tag's key.
    const attested = await this.attest(this.random(LIMIT.NONCE_SIZE));
    const chain = new KeyChain(this.ticket.certificate, this.knownKeys);
    await checkAttestation(chain, attested.signed, attested.seq, (fromSeq) =>
      this.command(OP.KEYS, uintBytes(fromSeq, 4)),
    );
    this.knownKeys = chain.known;
    /** @type {[number, unknown][]} */
    const seen = [
      [1, this.ticket.tid],
      [2, attested.seq],
      [3, attested.hash],
      [4, this.trip],
      [5, note.utcS],
      [6, note.zoneMin],
      [7, note.place],
      [9, note.seals],
      [10, this.ticket.holderKey],
      [12, note.condition],
    ];
    try {
      const { payload, message } = statementToSign(type, [...seen, ...more]);
      return sealStatement(payload, await this.ticket.sign(message));
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      const hint = "A place has at most 48 bytes; at most 4 seals of 24 bytes each.";
      throw new InputError(`This cannot be signed: ${fault.reason}.`, hint);
    }
  }
}

/**
 * Makes what was confirmed durable; only then may the tag hear of it.
 * @param {HostSync} host
 * @param {import("./evidence_store.js").EvidenceStore} store
 * @param {Progress} done
 */
async function keep(host, store, done) {
  const records = host.takeRecords();
  await store.append(records);
  host.stored();
  done.nextSeq = host.nextSeq;
  done.headSeq = host.headSeq;
  done.recordCount += records.length;
  done.size += records.reduce((size, record) => size + record.length, 0);
}

/** @param {Uint8Array} signed */
function readOrRefused(signed) {
  try {
    return readStatement(signed);
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault;
    throw new EvidenceRefused(`The attestation is malformed: ${fault.reason}.`);
  }
}
