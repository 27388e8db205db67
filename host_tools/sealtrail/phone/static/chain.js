// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Records in order (R7 to R16): the state a chain has, and what each record may do to it.
 *
 * Signatures (R10) fall due in `take` and are verified many at once by `settle`. Whoever calls
 * `take` believes nothing before `settle` and, where `take` refused, asks it first: an earlier
 * signature, or that of the same record, may be what is wrong.
 */

import { VerifyingKey } from "./cose.js";
import { isSame, sha256, toHex } from "./octets.js";
import { KIND } from "./payload.js";
import { Refusal } from "./refusal.js";

const CLOCK_RESET = 37;
// R12: clocks of tags are trusted to 5 %; anything beyond is no drift but a contradiction.
const DRIFT_PPM = 50_000;

/** The chain of one enrolment, from its certificate on. */
export class ChainJudge {
  /**
   * @param {Uint8Array} certificateHash 32 bytes
   * @param {Uint8Array} publicKey the certificate's, 32 or 33 bytes
   */
  constructor(certificateHash, publicKey) {
    this.enrolled = new VerifyingKey(publicKey);
    this.headHash = certificateHash;
    this.count = 0;
    /** @type {Uint8Array[]} SHA-256 of each record, by seq */
    this.hashes = [];
    /** The key in force from record *firstSeq* on, for attestations (R18). */
    this.epochs = [{ firstSeq: 0, key: this.enrolled }];
    /** @type {{seq: number, key: VerifyingKey, envelope: import("./cose.js").Envelope}[]} */
    this.due = [];
    this.keysSeen = new Set([toHex(publicKey)]);
    this.clock = new ClockBounds();
    this.boot = this.upMs = this.sealedBy = 0;
    this.hasEnded = this.isUnsigned = false;
  }

  /** The epoch key in force. */
  get key() {
    return this.epochs[this.epochs.length - 1].key;
  }

  /**
   * Judges the next record. Throws Refusal; nothing the record said has entered the state then.
   * @param {Uint8Array} item
   * @param {import("./cose.js").Envelope} envelope
   * @param {import("./payload.js").Payload} payload
   */
  async take(item, envelope, payload) {
    this.#judgeLink(payload);
    if (payload.kind === KIND.UNSIGNED || this.isUnsigned) this.#judgeUnsigned(envelope, payload);
    else this.due.push({ seq: payload.seq, key: this.key, envelope });
    this.#judgeTime(payload);
    this.#judgeCrash(payload);
    if (payload.nextKey !== null) this.#judgeEpoch(payload.nextKey);
    this.#advance(payload);
    this.headHash = await sha256(item);
    this.hashes.push(this.headHash);
    this.count += 1;
  }

  /**
   * R10: verifies what is due; the seq of the first record that fails, null if none.
   * @returns {Promise<number | null>}
   */
  async settle() {
    const due = this.due.splice(0);
    const holds = await Promise.all(due.map((one) => one.key.holds(one.envelope)));
    const failed = due.find((_, index) => !holds[index]);
    return failed ? failed.seq : null;
  }

  /**
   * The epoch key in force behind record *seq* (R18, statement 23).
   * @param {number} seq
   * @returns {VerifyingKey}
   */
  keyBehind(seq) {
    const passed = this.epochs.filter((epoch) => epoch.firstSeq <= seq + 1);
    return passed[passed.length - 1].key;
  }

  /** @param {import("./payload.js").Payload} payload */
  #judgeLink(payload) {
    if (!this.enrolled.allows(payload.algorithm)) {
      throw new Refusal("R7", "algorithm does not fit the key", `algorithm ${payload.algorithm}`);
    }
    if (payload.seq !== this.count) {
      const detail = `${payload.seq} instead of ${this.count}`;
      throw new Refusal("R8", "sequence number out of order", detail);
    }
    if (!isSame(payload.prev, this.headHash)) {
      throw new Refusal("R9", "previous hash does not match", "cut, swapped or from elsewhere");
    }
    if (this.hasEnded) throw new Refusal("R15", "record after the end");
  }

  /**
   * @param {import("./cose.js").Envelope} envelope
   * @param {import("./payload.js").Payload} payload
   */
  #judgeUnsigned(envelope, payload) {
    if (payload.kind !== KIND.UNSIGNED) {
      throw new Refusal("R16", "signed record after an unsigned block");
    }
    if (envelope.signature.some((octet) => octet !== 0)) {
      throw new Refusal("R16", "unsigned block with a signature");
    }
  }

  /** @param {import("./payload.js").Payload} payload */
  #judgeTime(payload) {
    const { boot, upMs, utc } = payload;
    if (boot < this.boot) {
      throw new Refusal("R11", "boot number goes back", `${boot} after ${this.boot}`);
    }
    if (boot === this.boot && upMs < this.upMs) {
      throw new Refusal("R11", "uptime goes back", `${upMs} after ${this.upMs} ms`);
    }
    if (payload.events.some((event) => event.code === CLOCK_RESET)) this.clock.forget();
    if (utc !== null) this.clock.take(boot, upMs, utc);
  }

  /** @param {import("./payload.js").Payload} payload */
  #judgeCrash(payload) {
    const { boot, sealedByBoot } = payload;
    const isLate =
      sealedByBoot === null
        ? boot < this.sealedBy
        : sealedByBoot <= boot || sealedByBoot < this.sealedBy;
    if (isLate) throw new Refusal("R13", "crash block out of place", `boot ${boot}`);
  }

  /** @param {Uint8Array} key */
  #judgeEpoch(key) {
    if (this.keysSeen.has(toHex(key))) throw new Refusal("R14", "epoch key repeated");
    if (new VerifyingKey(key).isEd25519 !== this.enrolled.isEd25519) {
      throw new Refusal("R14", "epoch key does not fit the algorithm");
    }
  }

  /** @param {import("./payload.js").Payload} payload */
  #advance(payload) {
    this.boot = payload.boot;
    this.upMs = payload.upMs;
    this.sealedBy = payload.sealedByBoot ?? this.sealedBy;
    if (payload.nextKey !== null) {
      this.keysSeen.add(toHex(payload.nextKey));
      this.epochs.push({ firstSeq: payload.seq + 1, key: new VerifyingKey(payload.nextKey) });
    }
    this.hasEnded = payload.kind === KIND.END;
    this.isUnsigned = payload.kind === KIND.UNSIGNED;
  }
}

/** R12: intervals of one boot must have a common time; over boots time does not go back. */
class ClockBounds {
  constructor() {
    /** @type {number | null} */
    this.boot = null;
    this.upMs = this.loMs = this.floorMs = 0; // floorMs: highest lower bound so far
    this.hiMs = Infinity;
  }

  /** What came before says nothing any more (CLOCK_RESET). */
  forget() {
    this.boot = null;
    this.floorMs = 0;
  }

  /**
   * Holds *utc* against the earlier ones. Throws Refusal R12.
   * @param {number} boot
   * @param {number} upMs
   * @param {{loS: number, widthS: number | null}} utc
   */
  take(boot, upMs, utc) {
    // Below 2^40 s and 2^48 ms: all sums stay exact.
    let loMs = utc.loS * 1000;
    let hiMs = utc.widthS === null ? Infinity : loMs + utc.widthS * 1000;
    const floorMs = Math.max(loMs, this.floorMs);
    if (hiMs < this.floorMs) throw contradiction();
    if (this.boot === boot) {
      const passedMs = upMs - this.upMs;
      const slackMs = Math.ceil((passedMs * DRIFT_PPM) / 1_000_000);
      const earlyMs = this.loMs + passedMs - slackMs;
      const lateMs = this.hiMs + passedMs + slackMs;
      if (hiMs < earlyMs || loMs > lateMs) throw contradiction();
      loMs = Math.max(loMs, earlyMs);
      hiMs = Math.min(hiMs, lateMs);
    }
    Object.assign(this, { boot, upMs, loMs, hiMs, floorMs });
  }
}

function contradiction() {
  return new Refusal("R12", "UTC contradicts an earlier interval");
}
