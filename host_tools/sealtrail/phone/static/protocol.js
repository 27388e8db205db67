// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Every number of the access and sync protocols that a visitor needs: sizes are bytes, times
 * milliseconds. A test compares them with firmware/sealwire/protocol.py.
 */

/** Of HELLO, CHALLENGE and tickets. */
export const VERSION = 1;

/** UUIDs of the tag's service and characteristics. */
export const GATT = Object.freeze({
  SERVICE_UUID: "5ea10001-2c9b-4f6e-9d31-7f0a6b8c4e52",
  STATUS_UUID: "5ea10002-2c9b-4f6e-9d31-7f0a6b8c4e52",
  CONTROL_UUID: "5ea10003-2c9b-4f6e-9d31-7f0a6b8c4e52",
  BULK_UUID: "5ea10004-2c9b-4f6e-9d31-7f0a6b8c4e52",
});

/** First byte of every message. */
export const MESSAGE = Object.freeze({
  HELLO: 0x01,
  CHALLENGE: 0x02,
  PROOF: 0x03,
  REFUSE: 0x0f,
  COMMAND: 0x10,
  REPLY: 0x11,
  BULK: 0x12,
});

/** Commands of this version that a visitor may give. */
export const OP = Object.freeze({
  STATUS: 1,
  SYNC: 2,
  ACK: 3,
  ATTEST: 4,
  CHECKPOINT: 5,
  TIME_NONCE: 6,
  TIME_TOKEN: 7,
  TIME_CLAIM: 8,
  RECEIPT: 9,
  SERVICE_CERT: 10,
  OFFER: 11,
  PENDING: 12,
  ACCEPT: 13,
  TRIP: 14,
  CONFIG: 15,
  ROLL: 16,
  ORDER: 17,
  FLEET_NEXT: 18,
  BYE: 19,
  KEYS: 20,
  ALARM_ACK: 22,
  TRIP_END: 23,
});

/** Failure codes. */
export const CODE = Object.freeze({
  OK: 0x00,
  BAD_VERSION: 0x01,
  BAD_FORM: 0x02,
  DOOR: 0x03,
  LOCKED: 0x04,
  BAD_PROOF: 0x05,
  BUSY: 0x06,
  REVOKED: 0x10,
  EXPIRED: 0x11,
  WRONG_TRIP: 0x12,
  NOT_YET: 0x13,
  BAD_MAC: 0x20,
  BAD_COUNTER: 0x21,
  NO_SCOPE: 0x22,
  CLOCK_UNSURE: 0x23,
  RATE: 0x24,
  BAD_STATE: 0x25,
  BAD_SIG: 0x26,
  STALE_HEAD: 0x27,
  NOT_OURS: 0x28,
  AHEAD: 0x29,
  FORK: 0x2a,
  FULL: 0x2b,
  STALE: 0x2c,
  CONTRADICTION: 0x2d,
});

/** Scope bits of a ticket. Any other bit makes it BAD_FORM. */
export const SCOPE = Object.freeze({
  SCOPE_SYNC: 1,
  SCOPE_CARRY: 2,
  SCOPE_CHECKPOINT: 4,
  SCOPE_HANDOVER: 8,
  SCOPE_TRIP: 16,
  SCOPE_CONFIG: 32,
  SCOPE_ALARM_ACK: 64,
  SCOPE_CLAIM: 128,
  SCOPE_ROLL: 256,
  SCOPE_ORDER: 512,
  SCOPE_ALL: 0x03ff,
});

/** Roles of a ticket. */
export const ROLE = Object.freeze({ VIEWER: 1, COURIER: 2, SITE: 3, QA: 4, SERVICE: 5 });

/** Bits of READY's third byte; the others are zero. */
export const READY = Object.freeze({
  READY_CLOCK_SURE: 1,
  READY_ALARM: 2,
  READY_FILLING: 4,
  READY_REFUSING: 8,
  READY_KEY_LOST: 16,
});

/** Sizes (bytes), counts (records) and times (ms). */
export const LIMIT = Object.freeze({
  NONCE_SIZE: 16,
  PROOF_SIZE: 16,
  DOOR_SIZE: 8,
  MAC_SIZE: 8,
  HELLO_SIZE: 132,
  CHALLENGE_SIZE: 34,
  INNER_SIZE: 106,
  TICKET_SIZE: 44,
  REVOKED_COUNT_MAX: 8,
  MESSAGE_SIZE_MAX: 512,
  RECORD_SIZE_MAX: 1024,
  ADVERT_ID_COUNT: 256,
  ADVERT_ID_SIZE: 8,
  KEYS_END: 0xffffffff,
  BULK_HEAD_SIZE: 4,
  BULK_FRAMES_MAX: 0xffffff,
  CREDIT_DEFAULT: 64,
  CREDIT_MIN: 2,
  REPLY_TIMEOUT_MS: 3000,
  SILENCE_MS: 1000,
  STALL_MS: 10_000,
  REFETCH_MAX: 3,
});

/**
 * The name of a failure code, else its hex form.
 * @param {number} code
 * @returns {string}
 */
export function codeName(code) {
  const found = Object.entries(CODE).find(([, number]) => number === code);
  return found ? found[0] : `0x${code.toString(16).padStart(2, "0")}`;
}
