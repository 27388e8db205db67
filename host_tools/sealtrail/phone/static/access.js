// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Tickets, key derivation and handshake: bytes in, bytes out (docs/access-protocol.md).
 *
 * Keys are CryptoKey objects that nobody can export, or 32 bytes; everything is fixed binary,
 * so nothing is parsed before it is authenticated.
 */

import { join, sha256, uintAt, uintBytes, utf8 } from "./octets.js";
import { LIMIT, MESSAGE, READY, ROLE, SCOPE, VERSION } from "./protocol.js";

const MASK_PARTS = 4;
const READY_SIZE = 47;
const READY_FLAGS_MAX = 0x1f;
const NO_SEQ = 0xffffffff;

/** Bytes that are no ticket or no message of this protocol. */
export class FormError extends Error {}

/**
 * A ticket's fields; times are seconds of UTC, *trip* 0: any.
 * @typedef {{role: number, scope: number, tno: number, holder: Uint8Array, nbfS: number,
 *   expS: number, trip: number, rev: number, floor: number, revoked: number[]}} Ticket
 */
/**
 * What the tag grants. *code* other than 0: refused, and nothing else counts. *headSeq* -1: no
 * record yet.
 * @typedef {{code: number, isSure: boolean, scope: number, rev: number, trip: number,
 *   headSeq: number, headHash: Uint8Array, isAlarm: boolean, isFilling: boolean,
 *   isRefusing: boolean, isKeyLost: boolean}} Ready
 */
/**
 * All that one handshake yields. MAC keys 32 bytes, encryption keys 16, proofs 16.
 * @typedef {{transcriptHash: Uint8Array, root: Uint8Array, tagProof: Uint8Array,
 *   visitorProof: Uint8Array, macVisitor: Uint8Array, macTag: Uint8Array,
 *   encVisitor: Uint8Array, encTag: Uint8Array}} SessionKeys
 */

/**
 * L(x): the domain separation in front of every MAC input and key derivation.
 * @param {string} name
 * @returns {Uint8Array}
 */
export function label(name) {
  return utf8(`sealtrail/1 ${name}\0`);
}

/**
 * Whether two MACs are the same, without an early exit.
 * @param {Uint8Array} left
 * @param {Uint8Array} right
 * @returns {boolean}
 */
export function isEqual(left, right) {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let index = 0; index < left.length; index += 1) difference |= left[index] ^ right[index];
  return difference === 0;
}

/**
 * *octets* as an HMAC-SHA256 key that nobody can export. A CryptoKey is given back as it is.
 * @param {Uint8Array | CryptoKey} octets
 * @returns {Promise<CryptoKey>}
 */
export async function macKey(octets) {
  if (!(octets instanceof Uint8Array)) return octets;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", octets, algorithm, false, ["sign"]);
}

/**
 * HMAC-SHA256 of the joined *parts*, 32 bytes.
 * @param {Uint8Array | CryptoKey} key
 * @param {...Uint8Array} parts
 * @returns {Promise<Uint8Array>}
 */
export async function hmac(key, ...parts) {
  return new Uint8Array(await crypto.subtle.sign("HMAC", await macKey(key), join(...parts)));
}

/**
 * The ticket in *content*. Throws FormError unless every byte is as it must be.
 * @param {Uint8Array} content
 * @returns {Ticket}
 */
export function parseTicket(content) {
  const size = LIMIT.TICKET_SIZE;
  if (content.length < size) throw new FormError("ticket too short");
  const count = content[38];
  if (content[0] !== VERSION || content[39] !== 0) throw new FormError("ticket version");
  if (count > LIMIT.REVOKED_COUNT_MAX || content.length !== size + 4 * count) {
    throw new FormError("ticket size");
  }
  const [role, scope] = [content[1], uintAt(content, 2, 2)];
  const isRole = Object.values(ROLE).some((one) => one === role);
  if (!isRole || scope & ~SCOPE.SCOPE_ALL) throw new FormError("ticket role or scope");
  return {
    role,
    scope,
    tno: uintAt(content, 4, 4),
    holder: content.slice(8, 24),
    nbfS: uintAt(content, 24, 4),
    expS: uintAt(content, 28, 4),
    trip: uintAt(content, 32, 4),
    rev: uintAt(content, 36, 2),
    floor: uintAt(content, 40, 4),
    revoked: Array.from({ length: count }, (_, index) => uintAt(content, size + 4 * index, 4)),
  };
}

/**
 * TK, 32 bytes. Only who holds the access key (archive, tests) can make one.
 * @param {Uint8Array} accessKey
 * @param {Uint8Array} ticket
 * @returns {Promise<Uint8Array>}
 */
export async function ticketKey(accessKey, ticket) {
  return hmac(accessKey, label("ticket"), ticket);
}

/**
 * VK(floor), 32 bytes. Only who holds the access key (archive, tests) can make one.
 * @param {Uint8Array} accessKey
 * @param {number} floor
 * @returns {Promise<Uint8Array>}
 */
export async function visitKey(accessKey, floor) {
  return hmac(accessKey, label("visit"), uintBytes(floor, 4));
}

/**
 * The 16-byte name that a ticket gives to its holder's public key.
 * @param {Uint8Array} publicKey
 * @returns {Promise<Uint8Array>}
 */
export async function holderOf(publicKey) {
  return (await sha256(publicKey)).slice(0, 16);
}

/**
 * The 8-byte id of a tag: it changes with every enrolment.
 * @param {Uint8Array} certificate
 * @returns {Promise<Uint8Array>}
 */
export async function tidOf(certificate) {
  return (await sha256(certificate)).slice(0, 8);
}

/**
 * The 8-byte id that a tag advertises; *index* 0 to 255.
 * @param {Uint8Array | CryptoKey} visit
 * @param {number} index
 * @returns {Promise<Uint8Array>}
 */
export async function advertId(visit, index) {
  return (await hmac(visit, label("advert"), Uint8Array.of(index))).slice(0, LIMIT.ADVERT_ID_SIZE);
}

/**
 * `ST-` and the first six base32 characters (RFC 4648) of an advert id.
 * @param {Uint8Array} identifier
 * @returns {string}
 */
export function advertName(identifier) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = uintAt(identifier, 0, 4) >>> 2;
  return `ST-${[25, 20, 15, 10, 5, 0].map((shift) => alphabet[(bits >>> shift) & 31]).join("")}`;
}

/**
 * What stands in the trip record for the chain-of-identity reference, 32 bytes. *salt*: 32.
 * @param {Uint8Array} salt
 * @param {Uint8Array} coi
 * @returns {Promise<Uint8Array>}
 */
export async function coiCommitment(salt, coi) {
  if (salt.length !== 32) throw new RangeError("the salt has 32 bytes");
  return hmac(salt, label("coi"), coi);
}

/**
 * HELLO, 132 bytes whatever the ticket's size.
 * @param {Uint8Array | CryptoKey} visit
 * @param {Uint8Array} nonce 16 bytes
 * @param {Uint8Array} ticket
 * @returns {Promise<Uint8Array>}
 */
export async function packHello(visit, nonce, ticket) {
  const inner = new Uint8Array(LIMIT.INNER_SIZE);
  inner[0] = ticket.length;
  inner.set(ticket, 2);
  const indexes = Array.from({ length: MASK_PARTS }, (_, index) => Uint8Array.of(index));
  const parts = indexes.map((index) => hmac(visit, label("mask"), nonce, index));
  const mask = join(...(await Promise.all(parts)));
  const masked = inner.map((octet, index) => octet ^ mask[index]);
  const message = join(Uint8Array.of(MESSAGE.HELLO, VERSION), nonce, masked);
  return join(message, (await hmac(visit, label("door"), message)).slice(0, LIMIT.DOOR_SIZE));
}

/**
 * The session's keys, from what both ends know.
 * @param {Uint8Array | CryptoKey} ticketKey32
 * @param {Uint8Array} hello
 * @param {Uint8Array} tagNonce
 * @returns {Promise<SessionKeys>}
 */
export async function sessionKeys(ticketKey32, hello, tagNonce) {
  const head = Uint8Array.of(MESSAGE.CHALLENGE, VERSION);
  const transcriptHash = await sha256(join(hello, head, tagNonce));
  const root = await hmac(ticketKey32, label("session"), transcriptHash);
  const key = await macKey(root);
  const named = (/** @type {string} */ name) => hmac(key, label(name));
  return {
    transcriptHash,
    root,
    tagProof: (await named("tag proof")).slice(0, LIMIT.PROOF_SIZE),
    visitorProof: (await named("visitor proof")).slice(0, LIMIT.PROOF_SIZE),
    macVisitor: await named("mac visitor"),
    macTag: await named("mac tag"),
    encVisitor: (await named("enc visitor")).slice(0, 16),
    encTag: (await named("enc tag")).slice(0, 16),
  };
}

/**
 * The session's keys. Throws FormError if the tag did not prove that it is the tag.
 * @param {Uint8Array | CryptoKey} ticketKey32
 * @param {Uint8Array} hello
 * @param {Uint8Array} challenge
 * @returns {Promise<SessionKeys>}
 */
export async function openChallenge(ticketKey32, hello, challenge) {
  const isOne =
    challenge.length === LIMIT.CHALLENGE_SIZE &&
    challenge[0] === MESSAGE.CHALLENGE &&
    challenge[1] === VERSION;
  if (!isOne) throw new FormError("challenge");
  const nonceEnd = 2 + LIMIT.NONCE_SIZE;
  const keys = await sessionKeys(ticketKey32, hello, challenge.slice(2, nonceEnd));
  if (!isEqual(keys.tagProof, challenge.slice(nonceEnd))) {
    throw new FormError("the tag's proof is wrong");
  }
  return keys;
}

/**
 * PROOF, 17 bytes.
 * @param {SessionKeys} keys
 * @returns {Uint8Array}
 */
export function packProof(keys) {
  return join(Uint8Array.of(MESSAGE.PROOF), keys.visitorProof);
}

/**
 * READY's body. Throws FormError.
 * @param {Uint8Array} body
 * @returns {Ready}
 */
export function parseReady(body) {
  const isRefused = body.length === 2 && body[0] === 0 && body[1] !== 0;
  const flags = isRefused ? 0 : body[2];
  const isGranted =
    body.length === READY_SIZE && body[0] === 0 && body[1] === 0 && flags <= READY_FLAGS_MAX;
  if (!isRefused && !isGranted) throw new FormError("ready");
  return {
    code: body[1],
    isSure: Boolean(flags & READY.READY_CLOCK_SURE),
    scope: isRefused ? 0 : uintAt(body, 3, 2),
    rev: isRefused ? 0 : uintAt(body, 5, 2),
    trip: isRefused ? 0 : uintAt(body, 7, 4),
    headSeq: isRefused ? -1 : seqOf(body, 11),
    headHash: body.slice(15),
    isAlarm: Boolean(flags & READY.READY_ALARM),
    isFilling: Boolean(flags & READY.READY_FILLING),
    isRefusing: Boolean(flags & READY.READY_REFUSING),
    isKeyLost: Boolean(flags & READY.READY_KEY_LOST),
  };
}

/**
 * A head's number as it travels at *offset*: FFFFFFFF means that there is no record, -1.
 * @param {Uint8Array} source
 * @param {number} [offset]
 * @returns {number}
 */
export function seqOf(source, offset = 0) {
  const value = uintAt(source, offset, 4);
  return value === NO_SEQ ? -1 : value;
}
