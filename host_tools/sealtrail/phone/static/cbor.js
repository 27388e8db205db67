// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Deterministic CBOR, and nothing else (RFC 8949 section 4.2.1; record format, R3).
 *
 * Integers of up to 64 bits (bigint beyond 2^53), byte strings (Uint8Array), text, arrays
 * and maps (Map). Work and memory are linear in the input's size; depth is bounded.
 */

import { inOrder, join, utf8 } from "./octets.js";

/** Nested arrays and maps, at most. */
export const DEPTH_MAX = 6;

/** The bytes are not deterministic CBOR of our subset. *reason*: docs/record-format.md 9.1. */
export class CborRefused extends Error {
  /** @param {string} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

const LEAST = [24n, 1n << 8n, 1n << 16n, 1n << 32n];
const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * The head at *offset*, in shortest form. *size*: of the head, bytes. Throws CborRefused.
 * @param {Uint8Array} source
 * @param {number} offset
 * @returns {{major: number, argument: number | bigint, end: number}}
 */
export function headAt(source, offset) {
  if (offset >= source.length) throw new CborRefused("truncated");
  const major = source[offset] >> 5;
  const info = source[offset] & 31;
  if (major === 7) {
    throw new CborRefused(info === 31 ? "indefinite length" : "float or simple value not allowed");
  }
  if (info === 31) {
    throw new CborRefused(major >= 2 && major <= 5 ? "indefinite length" : "reserved head");
  }
  if (info > 27) throw new CborRefused("reserved head");
  if (major === 6) throw new CborRefused("tag not allowed");
  const begin = offset + 1;
  if (info < 24) return { major, argument: info, end: begin };
  const end = begin + (1 << (info - 24));
  if (end > source.length) throw new CborRefused("truncated");
  let argument = 0n;
  for (let at = begin; at < end; at += 1) argument = (argument << 8n) | BigInt(source[at]);
  if (argument < LEAST[info - 24]) throw new CborRefused("not the shortest form");
  return { major, argument: plain(argument), end };
}

/** @param {bigint} value */
function plain(value) {
  return value >= -SAFE && value <= SAFE ? Number(value) : value;
}

/**
 * The one item that *source* is. Throws CborRefused, nothing else.
 * @param {Uint8Array} source
 * @returns {unknown}
 */
export function decode(source) {
  const { value, end } = itemAt(source, 0, 0);
  if (end !== source.length) throw new CborRefused("trailing bytes");
  return value;
}

/**
 * Where the item at *offset* ends; tag 18 is allowed around it. Throws CborRefused.
 * @param {Uint8Array} source
 * @param {number} [offset]
 * @returns {number}
 */
export function itemEnd(source, offset = 0) {
  return itemAt(source, source[offset] === 0xd2 ? offset + 1 : offset, 0).end;
}

/**
 * @param {Uint8Array} source
 * @param {number} offset
 * @param {number} depth
 * @returns {{value: unknown, end: number}}
 */
function itemAt(source, offset, depth) {
  const { major, argument, end } = headAt(source, offset);
  if (major === 0) return { value: argument, end };
  if (major === 1) return { value: plain(-1n - BigInt(argument)), end };
  if (major < 4) {
    const behind = end + Number(argument);
    if (behind > source.length) throw new CborRefused("truncated");
    const content = source.slice(end, behind);
    return { value: major === 2 ? content : textOf(content), end: behind };
  }
  if (depth >= DEPTH_MAX) throw new CborRefused("nested too deep");
  // A claim of more members than there are ends at the first that is missing.
  const count = Number(argument);
  return major === 4
    ? arrayAt(source, end, count, depth + 1)
    : mapAt(source, end, count, depth + 1);
}

/**
 * @param {Uint8Array} source
 * @param {number} offset
 * @param {number} count
 * @param {number} depth
 */
function arrayAt(source, offset, count, depth) {
  const members = [];
  let end = offset;
  for (let index = 0; index < count; index += 1) {
    const member = itemAt(source, end, depth);
    members.push(member.value);
    end = member.end;
  }
  return { value: members, end };
}

/**
 * @param {Uint8Array} source
 * @param {number} offset
 * @param {number} count
 * @param {number} depth
 */
function mapAt(source, offset, count, depth) {
  const found = new Map();
  let before = new Uint8Array(0);
  let end = offset;
  for (let index = 0; index < count; index += 1) {
    const key = itemAt(source, end, depth);
    if (Array.isArray(key.value) || key.value instanceof Map) {
      throw new CborRefused("map key not allowed");
    }
    const encoded = source.subarray(end, key.end);
    const order = inOrder(encoded, before);
    if (order === 0) throw new CborRefused("duplicate map key");
    if (order < 0) throw new CborRefused("map keys not sorted");
    before = encoded;
    const member = itemAt(source, key.end, depth);
    found.set(key.value, member.value);
    end = member.end;
  }
  return { value: found, end };
}

/** @param {Uint8Array} content */
function textOf(content) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new CborRefused("text not UTF-8");
  }
}

/**
 * Whole size of the item at *offset*, null: more bytes are needed. For splitting a CBOR
 * sequence as it arrives; tags are allowed. Throws CborRefused where the item is malformed
 * or, as far as it is known, above *sizeMax*.
 * @param {Uint8Array} source
 * @param {number} offset
 * @param {number} sizeMax
 * @returns {number | null}
 */
export function itemSize(source, offset, sizeMax) {
  let position = offset;
  let missing = 1; // items still to come, nested ones too: each takes a byte at least
  while (missing > 0) {
    if (position - offset + missing > sizeMax) throw new CborRefused("item too long");
    const size = headSize(source, position);
    if (size === null) return null;
    missing -= 1;
    if (source[position] >> 5 === 6) {
      tagArgument(source, position);
      position += size;
      missing += 1;
      continue;
    }
    const { major, argument, end } = headAt(source, position);
    position = end;
    if (major === 4) missing += Number(argument);
    else if (major === 5) missing += 2 * Number(argument);
    else if (major >= 2) position += Number(argument);
  }
  if (position - offset > sizeMax) throw new CborRefused("item too long");
  return position <= source.length ? position - offset : null;
}

/**
 * Bytes of the head at *offset*, null where it is cut off.
 * @param {Uint8Array} source
 * @param {number} offset
 */
function headSize(source, offset) {
  if (offset >= source.length) return null;
  const info = source[offset] & 31;
  const size = source[offset] >> 5 === 7 || info < 24 || info > 27 ? 1 : 1 + (1 << (info - 24));
  return offset + size > source.length ? null : size;
}

/**
 * Refuses a tag whose number is not in shortest form.
 * @param {Uint8Array} source
 * @param {number} offset
 */
function tagArgument(source, offset) {
  const asUnsigned = source.slice(offset, offset + 9);
  asUnsigned[0] &= 31;
  headAt(asUnsigned, 0);
}

/**
 * *value* in deterministic form: integers, Uint8Array, string, array, Map. Throws CborRefused.
 * @param {unknown} value
 * @param {number} [depth] containers that may still be opened
 * @returns {Uint8Array}
 */
export function encode(value, depth = DEPTH_MAX) {
  if (typeof value === "bigint" || Number.isInteger(value)) {
    const number = BigInt(/** @type {number} */ (value));
    return number < 0n ? head(1, -1n - number) : head(0, number);
  }
  if (value instanceof Uint8Array) return join(head(2, BigInt(value.length)), value);
  if (typeof value === "string") {
    const content = utf8(value);
    return join(head(3, BigInt(content.length)), content);
  }
  const isContainer = value instanceof Map || Array.isArray(value);
  if (!isContainer) throw new CborRefused("value not encodable");
  if (depth <= 0) throw new CborRefused("nested too deep");
  if (Array.isArray(value)) {
    const members = value.map((member) => encode(member, depth - 1));
    return join(head(4, BigInt(value.length)), ...members);
  }
  const pairs = [...value].map(([key, member]) => {
    if (Array.isArray(key) || key instanceof Map) throw new CborRefused("map key not allowed");
    return [encode(key, 0), encode(member, depth - 1)];
  });
  pairs.sort((left, right) => inOrder(left[0], right[0]));
  return join(head(5, BigInt(value.size)), ...pairs.flat());
}

/**
 * @param {number} major
 * @param {bigint} argument
 */
function head(major, argument) {
  if (argument >= 1n << 64n) throw new CborRefused("value not encodable");
  const width = LEAST.findIndex((least, index) => argument < (index ? least : 24n));
  const info = argument < 24n ? -1 : width < 0 ? 3 : width - 1;
  if (info < 0) return Uint8Array.of((major << 5) | Number(argument));
  const octets = new Uint8Array(1 + (1 << info));
  octets[0] = (major << 5) | (24 + info);
  for (let at = octets.length - 1, rest = argument; at > 0; at -= 1, rest >>= 8n) {
    octets[at] = Number(rest & 255n);
  }
  return octets;
}
