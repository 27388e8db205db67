// SPDX-License-Identifier: MIT
// @ts-check
/** Where a record ends in a stream, and its link: Y1 to Y3 of docs/sync-protocol.md. */

import { CborRefused, headAt, itemSize } from "./cbor.js";
import { LIMIT } from "./protocol.js";

/**
 * Bytes of the record at *offset*; null: more are needed; 0: there is none.
 * @param {Uint8Array} stream
 * @param {number} offset
 * @returns {number | null}
 */
export function sizeAt(stream, offset) {
  try {
    return itemSize(stream, offset, LIMIT.RECORD_SIZE_MAX);
  } catch (fault) {
    if (fault instanceof CborRefused) return 0;
    throw fault;
  }
}

/**
 * Number and PREV of a record without reading the rest, null where it does not begin as one:
 * D2 84, protected, {}, payload; a payload begins 0: kind, 1: seq, 2: PREV.
 * @param {Uint8Array} record
 * @returns {{seq: number, prevHash: Uint8Array} | null}
 */
export function linkOf(record) {
  try {
    if (record[0] !== 0xd2 || record[1] !== 0x84) return null;
    const header = headAt(record, 2);
    const payload = headAt(record, header.end + Number(header.argument) + 1);
    const map = headAt(record, payload.end);
    const kind = headAt(record, map.end + 1);
    const seq = headAt(record, kind.end + 1);
    const isOne =
      header.major === 2 &&
      payload.major === 2 &&
      map.major === 5 &&
      record[map.end] === 0 &&
      kind.major === 0 &&
      record[kind.end] === 1 &&
      seq.major === 0;
    const start = [0x02, 0x58, 0x20].every((octet, index) => record[seq.end + index] === octet);
    const prevHash = record.slice(seq.end + 3, seq.end + 35);
    if (!isOne || !start || prevHash.length !== 32) return null;
    return { seq: Number(seq.argument), prevHash };
  } catch (fault) {
    if (fault instanceof CborRefused) return null;
    throw fault;
  }
}
