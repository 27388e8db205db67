// SPDX-License-Identifier: MIT
// @ts-check
/** A record's payload (R2 to R4): what it must and must not hold, read strictly. */

import { CborRefused, decode } from "./cbor.js";
import { algorithmOf } from "./cose.js";
import { isInteger, isOctets, isUint, judgeEvent } from "./event_shapes.js";
import { Refusal } from "./refusal.js";

/** Values of KIND. 1 is reserved. */
export const KIND = Object.freeze({
  BLOCK: 0,
  CHECKPOINT: 2,
  KEY_EPOCH: 3,
  CRASH_BLOCK: 4,
  END: 5,
  UNSIGNED: 6,
});

/** A reading above this is no temperature but FAULT_BASE + the fault's number. */
export const FAULT_BASE = 1_000_000;

const KEY = Object.freeze({
  KIND: 0,
  SEQ: 1,
  PREV: 2,
  UPTIME: 3,
  UTC: 4,
  RUNS: 5,
  EVENTS: 6,
  NONCE: 7,
  NEXT_KEY: 8,
  SEALED_BY_BOOT: 9,
});
const KINDS = new Set(Object.values(KIND));
/** @type {Set<unknown>} */
const NEEDS_CONTENT = new Set([KIND.BLOCK, KIND.CRASH_BLOCK, KIND.UNSIGNED]);
const ONLY_IN = [
  [KEY.NONCE, KIND.CHECKPOINT],
  [KEY.NEXT_KEY, KIND.KEY_EPOCH],
  [KEY.SEALED_BY_BOOT, KIND.CRASH_BLOCK],
];
const FAULT_CODES = 7;
const [TEMP_MIN, TEMP_MAX] = [-27_315, 100_000];
const [PROBES, RUN_READINGS_MAX, TOLERANCE_MS, SOURCE_MAX] = [4, 1024, 1000, 4];
const [U32, U40, U48] = [2 ** 32 - 1, 2 ** 40 - 1, 2 ** 48 - 1];

/**
 * Readings of one probe at even distances. Times are uptimes of the record's boot, ms;
 * values are centi-degrees C, or FAULT_BASE and a fault's number.
 * @typedef {{probe: number, firstUpMs: number, distanceMs: number, values: number[]}} Run
 */
/**
 * One event at *upMs* of the record's boot. *content*: decoded CBOR, undefined without any.
 * @typedef {{upMs: number, code: number, content: unknown}} RecordEvent
 */
/**
 * A well-formed payload; whether it is true is for the chain to say. *utc*: UTC at *upMs* lies
 * in [loS, loS + widthS] seconds; widthS null: upper bound unknown.
 * @typedef {{kind: number, seq: number, prev: Uint8Array, boot: number, upMs: number,
 *   utc: {loS: number, source: number, widthS: number | null} | null, runs: Run[],
 *   events: RecordEvent[], algorithm: number, nonce: Uint8Array | null,
 *   nextKey: Uint8Array | null, sealedByBoot: number | null}} Payload
 */

/**
 * Reads the payload of a record. Throws Refusal R2, R3 or R4.
 * @param {import("./cose.js").Envelope} envelope
 * @returns {Payload}
 */
export function readPayload(envelope) {
  const algorithm = algorithmOf(envelope.protectedHeader);
  if (algorithm === null) throw new Refusal("R2", "protected header not allowed");
  const fields = mapOf(envelope.payload);
  judgeKeys(fields);
  judgeRanges(fields);
  const [boot, upMs] = fields.get(KEY.UPTIME);
  return {
    kind: fields.get(KEY.KIND),
    seq: fields.get(KEY.SEQ),
    prev: fields.get(KEY.PREV),
    boot,
    upMs,
    utc: readUtc(fields),
    runs: membersOf(fields, KEY.RUNS, "runs malformed").map((run) => readRun(run, upMs)),
    events: membersOf(fields, KEY.EVENTS, "events malformed").map((one) => readEvent(one, upMs)),
    algorithm,
    nonce: fields.get(KEY.NONCE) ?? null,
    nextKey: fields.get(KEY.NEXT_KEY) ?? null,
    sealedByBoot: fields.get(KEY.SEALED_BY_BOOT) ?? null,
  };
}

/** @param {Uint8Array} source */
function mapOf(source) {
  let fields;
  try {
    fields = decode(source);
  } catch (fault) {
    if (fault instanceof CborRefused) throw new Refusal("R3", fault.reason);
    throw fault;
  }
  if (!(fields instanceof Map)) throw new Refusal("R4", "payload not a map");
  return fields;
}

/** @param {Map<unknown, any>} fields */
function judgeKeys(fields) {
  if (![...fields.keys()].every((key) => isUint(key, KEY.SEALED_BY_BOOT))) {
    throw new Refusal("R4", "unknown key");
  }
  if (![KEY.KIND, KEY.SEQ, KEY.PREV, KEY.UPTIME].every((key) => fields.has(key))) {
    throw new Refusal("R4", "missing key");
  }
  const kind = fields.get(KEY.KIND);
  if (!KINDS.has(kind)) throw new Refusal("R4", "unknown kind");
  if (ONLY_IN.some(([key, owner]) => fields.has(key) !== (kind === owner))) {
    throw new Refusal("R4", "key does not fit the kind");
  }
  if (NEEDS_CONTENT.has(kind) && !fields.has(KEY.RUNS) && !fields.has(KEY.EVENTS)) {
    throw new Refusal("R4", "block without content");
  }
}

/** @param {Map<unknown, any>} fields */
function judgeRanges(fields) {
  const uptime = fields.get(KEY.UPTIME);
  const holds =
    isUint(fields.get(KEY.SEQ), U32) &&
    isOctets(fields.get(KEY.PREV), 32, 32) &&
    Array.isArray(uptime) &&
    uptime.length === 2 &&
    isUint(uptime[0], U32) &&
    isUint(uptime[1], U48) &&
    (!fields.has(KEY.NONCE) || isOctets(fields.get(KEY.NONCE), 8, 32)) &&
    (!fields.has(KEY.NEXT_KEY) || isOctets(fields.get(KEY.NEXT_KEY), 32, 33)) &&
    isUint(fields.get(KEY.SEALED_BY_BOOT) ?? 0, U32);
  if (!holds) throw new Refusal("R4", "value out of range");
}

/** @param {Map<unknown, any>} fields */
function readUtc(fields) {
  if (!fields.has(KEY.UTC)) return null;
  const value = fields.get(KEY.UTC);
  const holds =
    Array.isArray(value) &&
    (value.length === 2 || value.length === 3) &&
    isUint(value[0], U40) &&
    isUint(value[1], SOURCE_MAX) &&
    (value.length === 2 || isUint(value[2], U32));
  if (!holds) throw new Refusal("R4", "value out of range", "UTC");
  return { loS: value[0], source: value[1], widthS: value.length === 3 ? value[2] : null };
}

/**
 * @param {Map<unknown, any>} fields
 * @param {number} key
 * @param {string} reason
 * @returns {unknown[]}
 */
function membersOf(fields, key, reason) {
  if (!fields.has(key)) return [];
  const members = fields.get(key);
  if (!Array.isArray(members) || !members.length) throw new Refusal("R4", reason);
  return members;
}

/**
 * @param {unknown} run
 * @param {number} endMs
 * @returns {Run}
 */
function readRun(run, endMs) {
  if (!Array.isArray(run) || run.length !== 6) throw new Refusal("R4", "runs malformed");
  const [probe, startMs, distanceMs, count, first, deltas] = run;
  const holds =
    isUint(probe, PROBES - 1) &&
    isInteger(startMs) &&
    startMs <= 0 &&
    -endMs <= startMs &&
    isUint(distanceMs, U32) &&
    isUint(count, RUN_READINGS_MAX) &&
    count >= 1 &&
    isInteger(first) &&
    deltas instanceof Uint8Array &&
    (count === 1) === (distanceMs === 0) &&
    startMs + (count - 1) * distanceMs <= TOLERANCE_MS;
  if (!holds) throw new Refusal("R4", "runs malformed");
  const values = undelta(Number(first), deltas, count);
  if (!values.every(isReading)) throw new Refusal("R4", "reading out of range");
  return { probe, firstUpMs: endMs + startMs, distanceMs, values };
}

/** @param {number} value */
function isReading(value) {
  const isTemperature = value >= TEMP_MIN && value <= TEMP_MAX;
  return isTemperature || (value > FAULT_BASE && value <= FAULT_BASE + FAULT_CODES);
}

/**
 * The readings behind zigzag LEB128 deltas in shortest form, at most 3 bytes each.
 * @param {number} first
 * @param {Uint8Array} deltas
 * @param {number} count
 */
function undelta(first, deltas, count) {
  const values = [first];
  let [number, shift, last] = [0, 0, first];
  for (const octet of deltas) {
    if ((shift === 14 && octet > 127) || (shift && octet === 0)) {
      throw new Refusal("R4", "deltas malformed");
    }
    number |= (octet & 127) << shift;
    shift += 7;
    if (octet < 128) {
      last += (number >> 1) ^ -(number & 1);
      values.push(last);
      number = shift = 0;
    }
  }
  if (shift || values.length !== count) throw new Refusal("R4", "deltas malformed");
  return values;
}

/**
 * @param {unknown} event
 * @param {number} endMs
 * @returns {RecordEvent}
 */
function readEvent(event, endMs) {
  if (!Array.isArray(event) || event.length < 2 || event.length > 3) {
    throw new Refusal("R4", "events malformed");
  }
  const [atMs, code, content] = event;
  if (!isInteger(atMs) || atMs < -endMs || atMs > 0 || !isInteger(code)) {
    throw new Refusal("R4", "events malformed");
  }
  judgeEvent(code, content, event.length === 3);
  return { upMs: endMs + atMs, code, content };
}
