// SPDX-License-Identifier: MIT
// @ts-check
/** Statements: signed texts that are not records (R17). Shapes, reading, writing. */

import { CborRefused, decode, encode } from "./cbor.js";
import { algorithmOf, EDDSA_HEADER, openEnvelope, sealEnvelope, signedBytes } from "./cose.js";
import { isInteger, isOctets, isText, isUint } from "./event_shapes.js";
import { isSame } from "./octets.js";
import { Refusal } from "./refusal.js";

/** Types: payload key 0. */
export const TYPE = Object.freeze({
  TIME: 16,
  RECEIPT: 17,
  ORDER: 18,
  SERVICE: 19,
  OFFER: 20,
  FLEET: 21,
  ACCEPT: 22,
  ATTEST: 23,
  REVOCATION: 24,
  PERSON: 25,
});

/** Bytes of a whole statement, at most. */
export const STATEMENT_SIZE_MAX = 480;

const U42 = 2 ** 42 - 1;
const [U32, U48] = [2 ** 32 - 1, 2 ** 48 - 1];
const HAS_KID = [TYPE.TIME, TYPE.RECEIPT, TYPE.ORDER, TYPE.PERSON];

/** @typedef {(value: any) => boolean} Check */
/** @type {Check} */
const u = (value) => isUint(value, U42);
/** @type {(size: number) => Check} */
const b = (size) => (value) => isOctets(value, size, size);
/** @type {(sizeMin: number, sizeMax: number) => Check} */
const t = (sizeMin, sizeMax) => (value) => isText(value, sizeMin, sizeMax);
/** @type {Check} */
const zone = (value) => isInteger(value) && value >= -900 && value <= 900;
/** @type {Check} */
const seals = (value) => Array.isArray(value) && value.length <= 4 && value.every(t(0, 24));
/** @type {Check} */
const uptime = (value) =>
  Array.isArray(value) && value.length === 2 && isUint(value[0], U32) && isUint(value[1], U48);
/** @type {Check} */
const interval = (value) =>
  Array.isArray(value) &&
  (value.length === 1 || value.length === 2) &&
  value.every(u) &&
  value[0] <= value[value.length - 1];

/** @type {[number, Check][]} */
const CUSTODY = [
  [1, b(8)],
  [2, u],
  [3, b(32)],
  [4, u],
  [5, u],
  [6, zone],
  [7, t(0, 48)],
  [9, seals],
  [10, b(32)],
  [12, u],
];
/** @type {Map<unknown, Map<number, Check>>} */
const SHAPES = new Map([
  [TYPE.TIME, shape([1, b(8)], [2, b(16)], [3, u], [4, u])],
  [TYPE.RECEIPT, shape([1, b(8)], [2, u], [3, b(32)], [4, u])],
  [TYPE.ORDER, shape([1, b(8)], [2, u], [3, u], [4, b(16)])],
  [TYPE.SERVICE, shape([1, b(32)], [2, u], [3, u], [4, u], [5, u], [6, u])],
  [TYPE.OFFER, shape(...CUSTODY, [11, b(32)])],
  [TYPE.FLEET, shape([1, b(32)], [2, b(32)])],
  [TYPE.ACCEPT, shape(...CUSTODY, [13, b(32)])],
  [
    TYPE.ATTEST,
    shape([1, b(8)], [2, u], [3, b(32)], [4, b(16)], [5, uptime], [6, interval], [7, u]),
  ],
  [TYPE.REVOCATION, shape([1, b(8)], [2, u], [3, b(32)], [4, u], [5, t(1, 96)], [6, u])],
  [TYPE.PERSON, shape([1, b(32)], [2, u], [3, t(1, 48)], [4, u], [5, u], [6, u])],
]);
/** @type {Map<unknown, number>} the one key of a type that may be missing */
const OPTIONAL = new Map([
  [TYPE.TIME, 2],
  [TYPE.ORDER, 4],
  [TYPE.OFFER, 11],
  [TYPE.ACCEPT, 13],
]);

/** @param {...[number, Check]} rows */
function shape(...rows) {
  return new Map(rows);
}

/**
 * A statement of a known shape; its signature is judged by whoever knows the signer.
 * *kid*: 8 bytes on what a service key signs, else null.
 * @typedef {{type: number, fields: Map<number, any>, kid: Uint8Array | null,
 *   envelope: import("./cose.js").Envelope, raw: Uint8Array}} RawStatement
 */

/**
 * The type where *item* is a statement (key 0 of 16 or more), else null.
 * @param {Uint8Array} item
 * @returns {number | bigint | null}
 */
export function statementType(item) {
  try {
    const payload = decode(openEnvelope(item).payload);
    const type = payload instanceof Map ? payload.get(0) : null;
    return isInteger(type) && type >= TYPE.TIME ? type : null;
  } catch (fault) {
    if (fault instanceof Refusal || fault instanceof CborRefused) return null;
    throw fault;
  }
}

/**
 * Reads one statement by its shape. Throws Refusal R2, R3, R17.
 * @param {Uint8Array} item
 * @returns {RawStatement}
 */
export function readStatement(item) {
  const envelope = openEnvelope(item);
  if (item.length > STATEMENT_SIZE_MAX) throw new Refusal("R17", "item too long");
  let fields;
  try {
    fields = decode(envelope.payload);
  } catch (fault) {
    if (fault instanceof CborRefused) throw new Refusal("R3", fault.reason);
    throw fault;
  }
  const type = judgeShape(fields);
  return { type, fields, kid: kidOf(type, envelope.protectedHeader), envelope, raw: item };
}

/** @param {any} fields */
function judgeShape(fields) {
  if (!(fields instanceof Map)) throw new Refusal("R17", "payload not a map");
  const type = fields.get(0);
  const wanted = SHAPES.get(type);
  if (!wanted) throw new Refusal("R17", "unknown statement type", String(type));
  if ([...fields.keys()].some((key) => key !== 0 && !wanted.has(key))) {
    throw new Refusal("R17", "unknown key");
  }
  if ([...wanted.keys()].some((key) => !fields.has(key) && OPTIONAL.get(type) !== key)) {
    throw new Refusal("R17", "missing key");
  }
  for (const [key, check] of wanted) {
    if (fields.has(key) && !check(fields.get(key))) {
      throw new Refusal("R17", "value out of range", `key ${key}`);
    }
  }
  return type;
}

/**
 * The key id of the protected header; refuses every other header (R17).
 * @param {number} type
 * @param {Uint8Array} header
 */
function kidOf(type, header) {
  if (HAS_KID.includes(type)) {
    const start = Uint8Array.of(0xa2, 0x01, 0x27, 0x04, 0x48);
    if (header.length === 13 && isSame(header.slice(0, 5), start)) return header.slice(5);
  } else if (
    isSame(header, EDDSA_HEADER) ||
    (type === TYPE.ATTEST && algorithmOf(header) !== null)
  ) {
    return null;
  }
  throw new Refusal("R17", "protected header not allowed");
}

/**
 * What is to be signed for a statement without kid. *fields*: without key 0. Throws Refusal R17
 * where the shape does not hold.
 * @param {number} type
 * @param {Iterable<[number, unknown]>} fields
 * @returns {{payload: Uint8Array, message: Uint8Array}}
 */
export function statementToSign(type, fields) {
  const whole = new Map([[0, type], ...fields]);
  judgeShape(whole);
  const payload = encode(whole);
  return { payload, message: signedBytes(EDDSA_HEADER, payload) };
}

/**
 * The whole statement, without kid. Throws Refusal R17 above STATEMENT_SIZE_MAX bytes.
 * @param {Uint8Array} payload
 * @param {Uint8Array} signature 64 bytes
 * @returns {Uint8Array}
 */
export function sealStatement(payload, signature) {
  const whole = sealEnvelope(EDDSA_HEADER, payload, signature);
  if (whole.length > STATEMENT_SIZE_MAX) throw new Refusal("R17", "item too long");
  return whole;
}
