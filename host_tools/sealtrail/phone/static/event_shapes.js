// SPDX-License-Identifier: MIT
// @ts-check
/** What each event's data must be (record format, section 4.7): one row an event. */

import { utf8 } from "./octets.js";
import { Refusal } from "./refusal.js";

/**
 * Whether *value* is a CBOR integer of any size.
 * @param {unknown} value
 * @returns {value is number}
 */
export function isInteger(value) {
  return typeof value === "bigint" || Number.isInteger(value);
}

/**
 * Whether *value* is an integer from 0 to *maximum*.
 * @param {unknown} value
 * @param {number | bigint} maximum
 * @returns {value is number}
 */
export function isUint(value, maximum) {
  return isInteger(value) && value >= 0 && value <= maximum;
}

/**
 * Whether *value* is text of *sizeMin* to *sizeMax* bytes of UTF-8.
 * @param {unknown} value
 * @param {number} sizeMin
 * @param {number} sizeMax
 * @returns {value is string}
 */
export function isText(value, sizeMin, sizeMax) {
  if (typeof value !== "string") return false;
  const size = utf8(value).length;
  return size >= sizeMin && size <= sizeMax;
}

/**
 * Whether *value* is a byte string of *sizeMin* to *sizeMax* bytes.
 * @param {unknown} value
 * @param {number} sizeMin
 * @param {number} sizeMax
 * @returns {value is Uint8Array}
 */
export function isOctets(value, sizeMin, sizeMax) {
  return value instanceof Uint8Array && value.length >= sizeMin && value.length <= sizeMax;
}

/** @typedef {(value: unknown) => boolean} Check */
/** @type {(maximum?: number) => Check} */
const upTo = (maximum = Infinity) => (value) => isUint(value, maximum);
/** @type {(sizeMax: number) => Check} */
const text = (sizeMax) => (value) => isText(value, 0, sizeMax);
/** @type {(sizeMin: number, sizeMax: number) => Check} */
const octets = (sizeMin, sizeMax) => (value) => isOctets(value, sizeMin, sizeMax);
const u = upTo();
const holder = octets(8, 8);
const statement = octets(1, 480);
/** @type {Check} */
const tickets = (value) =>
  Array.isArray(value) && value.length <= 8 && value.every((one) => u(one));

// An array: the members of the data. null: no data.
/** @type {Map<unknown, Check[] | "trip" | null>} */
const SHAPES = new Map([
  [1, [u, text(32)]],
  [2, null],
  [3, [u]],
  [4, [u, upTo(2), u]],
  [5, [u]],
  [6, [u, u]],
  [7, [u, u, isInteger]],
  [8, [u, u, isInteger, u, upTo(2)]],
  [9, [u, u, u]],
  [10, [u, u]],
  [11, [u, u]],
  [12, [u]],
  [13, [u]],
  [14, [u]],
  [15, [u, text(48)]],
  [16, [upTo(1000)]],
  [17, [u]],
  [30, "trip"],
  [31, [octets(8, 8)]],
  [32, [u]],
  [33, [u]],
  [34, [octets(8, 8)]],
  [35, [u, octets(32, 32)]],
  [36, [u, octets(32, 32)]],
  [37, null],
  [40, [u, holder, u, u]],
  [41, [u, holder, statement]],
  [42, [u, holder, statement]],
  [43, [u, isInteger, u]],
  [44, [u]],
  [45, [u]],
  [46, [u, u, tickets]],
  [47, [u, u, u]],
  [48, [u, holder, u, u, u, u]],
  [49, [u, holder]],
  [50, [octets(8, 8), u, holder]],
]);
/** @type {[number, Check][]} */
const TRIP = [
  [1, u],
  [2, octets(32, 32)],
  [3, octets(1, 480)],
];

/**
 * Throws Refusal R4 where *content* is not what *code* carries.
 * @param {unknown} code
 * @param {unknown} content
 * @param {boolean} hasContent
 */
export function judgeEvent(code, content, hasContent) {
  const shape = SHAPES.get(code);
  if (shape === undefined) throw new Refusal("R4", "unknown event code", String(code));
  if (!fits(shape, content, hasContent)) {
    throw new Refusal("R4", "event data malformed", `event ${code}`);
  }
}

/**
 * @param {Check[] | "trip" | null} shape
 * @param {unknown} content
 * @param {boolean} hasContent
 */
function fits(shape, content, hasContent) {
  if (shape === null) return !hasContent;
  if (shape === "trip") {
    const isWhole = content instanceof Map && content.size === TRIP.length;
    return isWhole && TRIP.every(([key, check]) => content.has(key) && check(content.get(key)));
  }
  const isWhole = Array.isArray(content) && content.length === shape.length;
  return isWhole && shape.every((check, index) => check(content[index]));
}
