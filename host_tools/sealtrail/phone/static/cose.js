// SPDX-License-Identifier: MIT
// @ts-check
/** COSE_Sign1 by hand: envelope (R2), signature (R10), algorithm pinned to the key (R7). */

import { CborRefused, encode, headAt } from "./cbor.js";
import { holdsEd25519 } from "./ed25519.js";
import { isSame, join, toHex } from "./octets.js";
import { holdsP256 } from "./p256.js";
import { Refusal } from "./refusal.js";

/** COSE numbers of the algorithms (RFC 9053, RFC 9864). */
export const ALGORITHM = Object.freeze({ EDDSA: -8, ED25519: -19, ES256: -7, ESP256: -9 });

/** Content of the protected header {1: -8}. */
export const EDDSA_HEADER = Uint8Array.of(0xa1, 0x01, 0x27);

const RECORD_HEADERS = new Map([
  ["a10127", ALGORITHM.EDDSA],
  ["a10132", ALGORITHM.ED25519],
  ["a10126", ALGORITHM.ES256],
  ["a10128", ALGORITHM.ESP256],
]);
const SIGNATURE_SIZE = 64;

/**
 * A COSE_Sign1 taken apart; nothing in it is believed yet.
 * @typedef {{protectedHeader: Uint8Array, payload: Uint8Array, signature: Uint8Array}} Envelope
 */

/**
 * The algorithm that a record's protected header names, null for every other header.
 * @param {Uint8Array} header
 * @returns {number | null}
 */
export function algorithmOf(header) {
  return RECORD_HEADERS.get(toHex(header)) ?? null;
}

/**
 * Takes one item apart. Throws Refusal R2, R3.
 * @param {Uint8Array} item
 * @returns {Envelope}
 */
export function openEnvelope(item) {
  if (item[0] !== 0xd2 || item[1] !== 0x84) throw new Refusal("R2", "not a COSE_Sign1");
  const header = byteStringAt(item, 2);
  if (item[header.end] !== 0xa0) throw new Refusal("R2", "unprotected header not empty");
  const payload = byteStringAt(item, header.end + 1);
  const signature = byteStringAt(item, payload.end);
  if (signature.content.length !== SIGNATURE_SIZE) {
    throw new Refusal("R2", "signature not 64 bytes");
  }
  if (signature.end !== item.length) throw new Refusal("R3", "trailing bytes");
  return {
    protectedHeader: header.content,
    payload: payload.content,
    signature: signature.content,
  };
}

/**
 * @param {Uint8Array} item
 * @param {number} offset
 */
function byteStringAt(item, offset) {
  let head;
  try {
    head = headAt(item, offset);
  } catch (fault) {
    if (fault instanceof CborRefused) throw new Refusal("R2", "not a COSE_Sign1", fault.reason);
    throw fault;
  }
  const end = head.end + Number(head.argument);
  if (head.major !== 2 || end > item.length) throw new Refusal("R2", "not a COSE_Sign1");
  return { content: item.slice(head.end, end), end };
}

/**
 * The bytes that are signed (RFC 9052 section 4.4).
 * @param {Uint8Array} protectedHeader content of the header's byte string
 * @param {Uint8Array} payload
 * @returns {Uint8Array}
 */
export function signedBytes(protectedHeader, payload) {
  return encode(["Signature1", protectedHeader, new Uint8Array(0), payload]);
}

/**
 * A COSE_Sign1 with an empty unprotected header.
 * @param {Uint8Array} protectedHeader
 * @param {Uint8Array} payload
 * @param {Uint8Array} signature 64 bytes
 * @returns {Uint8Array}
 */
export function sealEnvelope(protectedHeader, payload, signature) {
  const parts = [encode(protectedHeader), Uint8Array.of(0xa0), encode(payload), encode(signature)];
  return join(Uint8Array.of(0xd2, 0x84), ...parts);
}

/** A public key and the algorithms it may be used with: 32 bytes Ed25519, 33 P-256. */
export class VerifyingKey {
  /** @param {Uint8Array} encoded */
  constructor(encoded) {
    this.encoded = encoded;
  }

  /** True for Ed25519, false for P-256. */
  get isEd25519() {
    return this.encoded.length === 32;
  }

  /**
   * R7: whether *algorithm* is one of the key's. The key decides, never the header.
   * @param {number | null} algorithm
   */
  allows(algorithm) {
    const { EDDSA, ED25519, ES256, ESP256 } = ALGORITHM;
    const allowed = this.isEd25519 ? [EDDSA, ED25519] : [ES256, ESP256];
    return algorithm !== null && allowed.includes(algorithm);
  }

  /**
   * Whether the signature of *envelope* verifies under this key.
   * @param {Envelope} envelope
   * @returns {Promise<boolean>}
   */
  async holds(envelope) {
    const message = signedBytes(envelope.protectedHeader, envelope.payload);
    const check = this.isEd25519 ? holdsEd25519 : holdsP256;
    return check(this.encoded, envelope.signature, message);
  }

  /**
   * Whether both are the same key.
   * @param {Uint8Array} encoded
   */
  is(encoded) {
    return isSame(this.encoded, encoded);
  }
}
