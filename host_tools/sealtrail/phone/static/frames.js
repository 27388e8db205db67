// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Sealed commands and replies, bulk frames, and control notifications joined together.
 * docs/access-protocol.md, "Frames": a bulk frame has no MAC; what it carries, records, is
 * signed and hash-linked.
 */

import { hmac, isEqual, macKey } from "./access.js";
import { join, uintAt, uintBytes } from "./octets.js";
import { LIMIT, MESSAGE } from "./protocol.js";

const HEAD_SIZE = 3;
const LAST = 0x80; // bit 7 of a control notification's first byte
const NUMBER_MAX = 0xffff;
const COUNTER_BITS = 32;

/** A frame that is malformed, forged or out of order. */
export class FrameError extends Error {}

/** One direction of one session: seals on one side, opens on the other. */
export class Sealer {
  /**
   * @param {CryptoKey} mac
   * @param {CryptoKey} cipher
   */
  constructor(mac, cipher) {
    this.mac = mac;
    this.cipher = cipher;
    this.lastSealed = -1;
  }

  /**
   * A sealer of these keys; they cannot be exported from it.
   * @param {Uint8Array} macOctets 32 bytes
   * @param {Uint8Array} encryptionOctets 16 bytes
   * @returns {Promise<Sealer>}
   */
  static async of(macOctets, encryptionOctets) {
    const uses = /** @type {KeyUsage[]} */ (["encrypt"]);
    const cipher = crypto.subtle.importKey("raw", encryptionOctets, "AES-CTR", false, uses);
    return new Sealer(await macKey(macOctets), await cipher);
  }

  /**
   * A command or reply frame, 11 bytes longer than *body*. *number* rises from frame to frame:
   * one used twice would give the key stream away. Throws FrameError.
   * @param {number} type
   * @param {number} number 0 to 65535
   * @param {Uint8Array} body
   * @returns {Promise<Uint8Array>}
   */
  async seal(type, number, body) {
    if (number <= this.lastSealed || number > NUMBER_MAX) throw new FrameError("number used up");
    this.lastSealed = number;
    const sealed = await this.#crypt(type, number, body);
    const message = join(Uint8Array.of(type), uintBytes(number, 2), sealed);
    return join(message, (await hmac(this.mac, message)).slice(0, LIMIT.MAC_SIZE));
  }

  /**
   * Number and body of a frame. Throws FrameError unless the MAC holds. Whether the number may
   * follow the last one is the caller's to check.
   * @param {number} type
   * @param {Uint8Array} frame
   * @returns {Promise<{number: number, body: Uint8Array}>}
   */
  async open(type, frame) {
    const end = frame.length - LIMIT.MAC_SIZE;
    if (end <= HEAD_SIZE || frame[0] !== type) throw new FrameError("form");
    const expected = (await hmac(this.mac, frame.slice(0, end))).slice(0, LIMIT.MAC_SIZE);
    if (!isEqual(expected, frame.slice(end))) throw new FrameError("mac");
    const number = uintAt(frame, 1, 2);
    return { number, body: await this.#crypt(type, number, frame.slice(HEAD_SIZE, end)) };
  }

  /**
   * Number and chunk of a bulk frame. Throws FrameError if it cannot be one.
   * @param {Uint8Array} frame
   * @returns {Promise<{number: number, chunk: Uint8Array}>}
   */
  async openBulk(frame) {
    const number = bulkNumber(frame);
    if (number === null) throw new FrameError("form");
    const sealed = frame.slice(LIMIT.BULK_HEAD_SIZE);
    return { number, chunk: await this.#crypt(MESSAGE.BULK, number, sealed) };
  }

  /**
   * @param {number} type
   * @param {number} number
   * @param {Uint8Array} content
   */
  async #crypt(type, number, content) {
    const counter = new Uint8Array(16); // type, 7 zeros, number, block from 0
    counter[0] = type;
    counter.set(uintBytes(number, 4), 8);
    const algorithm = { name: "AES-CTR", counter, length: COUNTER_BITS };
    return new Uint8Array(await crypto.subtle.encrypt(algorithm, this.cipher, content));
  }
}

/**
 * The number of a bulk frame, null if it cannot be one.
 * @param {Uint8Array} frame
 * @returns {number | null}
 */
export function bulkNumber(frame) {
  const isOne = frame.length > LIMIT.BULK_HEAD_SIZE && frame[0] === MESSAGE.BULK;
  return isOne ? uintAt(frame, 1, 3) : null;
}

/** Puts control notifications together again. Bounded: one message of at most 512 B. */
export class Joiner {
  constructor() {
    /** @type {Uint8Array[]} */
    this.parts = [];
    this.size = 0;
  }

  /**
   * Takes one notification; the whole message at its last part, else null. Throws FrameError on
   * a part out of order: what was collected is dropped then; index 0 always begins anew.
   * @param {Uint8Array} value
   * @returns {Uint8Array | null}
   */
  feed(value) {
    if (!value.length) throw new FrameError("empty part");
    const index = value[0] & ~LAST;
    if (index === 0) this.#reset();
    this.size += value.length - 1;
    if (index !== this.parts.length || this.size > LIMIT.MESSAGE_SIZE_MAX) {
      this.#reset();
      throw new FrameError("part out of order or too long");
    }
    this.parts.push(value.slice(1));
    if (!(value[0] & LAST)) return null;
    const message = join(...this.parts);
    this.#reset();
    return message;
  }

  #reset() {
    this.parts = [];
    this.size = 0;
  }
}
