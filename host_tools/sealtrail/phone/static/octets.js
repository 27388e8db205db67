// SPDX-License-Identifier: MIT
// @ts-check
/** Bytes: joining, comparing, hashing, hex, big-endian numbers. Sizes and offsets are bytes. */

const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

/**
 * The parts behind each other, as a new array.
 * @param {...Uint8Array} parts
 * @returns {Uint8Array}
 */
export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/**
 * Whether two public byte strings are the same. For MACs: `isEqual` of access.js.
 * @param {unknown} left
 * @param {unknown} right
 * @returns {boolean}
 */
export function isSame(left, right) {
  return (
    left instanceof Uint8Array &&
    right instanceof Uint8Array &&
    left.length === right.length &&
    left.every((octet, index) => octet === right[index])
  );
}

/**
 * -1, 0 or 1: bytewise order, the shorter first where one begins the other.
 * @param {Uint8Array} left
 * @param {Uint8Array} right
 * @returns {number}
 */
export function inOrder(left, right) {
  const size = Math.min(left.length, right.length);
  for (let index = 0; index < size; index += 1) {
    if (left[index] !== right[index]) return left[index] < right[index] ? -1 : 1;
  }
  return Math.sign(left.length - right.length);
}

/**
 * SHA-256, 32 bytes.
 * @param {Uint8Array} content
 * @returns {Promise<Uint8Array>}
 */
export async function sha256(content) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", content));
}

/**
 * Lower-case hex.
 * @param {Uint8Array} content
 * @returns {string}
 */
export function toHex(content) {
  let text = "";
  for (const octet of content) text += HEX[octet];
  return text;
}

/**
 * Bytes of a hex text. Throws RangeError for any other text.
 * @param {string} text
 * @returns {Uint8Array}
 */
export function fromHex(text) {
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) throw new RangeError("no hex text");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/**
 * The UTF-8 bytes of *text*.
 * @param {string} text
 * @returns {Uint8Array}
 */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

/**
 * *value* as *size* big-endian bytes (at most 6). Throws RangeError where it does not fit.
 * @param {number} value
 * @param {number} size
 * @returns {Uint8Array}
 */
export function uintBytes(value, size) {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
    throw new RangeError(`${value} does not fit ${size} bytes`);
  }
  const octets = new Uint8Array(size);
  for (let index = size - 1, rest = value; index >= 0; index -= 1) {
    octets[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return octets;
}

/**
 * The big-endian number of *size* bytes (at most 6) at *offset*.
 * @param {Uint8Array} source
 * @param {number} offset
 * @param {number} size
 * @returns {number}
 */
export function uintAt(source, offset, size) {
  let value = 0;
  for (let index = offset; index < offset + size; index += 1) value = value * 256 + source[index];
  return value;
}

/**
 * The bytes as one number, however many, least significant first.
 * @param {Uint8Array} octets
 * @returns {bigint}
 */
export function littleEndian(octets) {
  return BigInt(`0x${toHex(octets.slice().reverse()) || "0"}`);
}

/**
 * The bytes as one number, however many, most significant first.
 * @param {Uint8Array} octets
 * @returns {bigint}
 */
export function bigEndian(octets) {
  return BigInt(`0x${toHex(octets) || "0"}`);
}
