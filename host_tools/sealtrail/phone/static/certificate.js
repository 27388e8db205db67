// SPDX-License-Identifier: MIT
// @ts-check
/** The tag certificate (R5, R6) and the fleet keys that may have signed it (fleet.pub). */

import { CborRefused, decode } from "./cbor.js";
import { ALGORITHM, EDDSA_HEADER, openEnvelope, VerifyingKey } from "./cose.js";
import { isOctets, isText, isUint } from "./event_shapes.js";
import { isSame, sha256 } from "./octets.js";
import { compressedPoint } from "./p256.js";
import { Refusal } from "./refusal.js";

const CLAIM = Object.freeze({
  SUBJECT: 2,
  ISSUED_AT: 6,
  CONFIRMATION: 8,
  HARDWARE: -70001,
  FIRMWARE: -70002,
});
const TEXT_SIZE_MAX = 48;
const U64 = (1n << 64n) - 1n;
const DAY_S = 86_400;

/**
 * One line of fleet.pub. *beginS* (included) to *endS* (excluded): the seconds of UTC in which
 * the key may sign.
 * @typedef {{name: string, key: VerifyingKey, beginS: number, endS: number}} FleetKey
 */
/**
 * The fleet's word on a tag's key. *publicKey*: 32 bytes Ed25519, 33 P-256. *tid*: 8 bytes.
 * @typedef {{subject: string, publicKey: Uint8Array, algorithm: number,
 *   issuedAtS: number | bigint, hardware: string, firmware: string, tid: Uint8Array,
 *   fleetKeyName: string, raw: Uint8Array}} TagCertificate
 */

/**
 * The keys of a fleet.pub. Throws RangeError where a line cannot be read.
 * @param {string} content
 * @returns {FleetKey[]}
 */
export function readFleet(content) {
  const lines = content.split("\n").map((line) => line.trim());
  return lines.filter((line) => line && !line.startsWith("#")).map(readLine);
}

/** @param {string} line */
function readLine(line) {
  const [kind, key, since, until, ...name] = line.split(/\s+/);
  const encoded = Uint8Array.from(atob(key ?? ""), (one) => one.charCodeAt(0));
  const [beginS, lastS] = [since, until].map((day) => Date.parse(`${day}T00:00:00Z`) / 1000);
  const isKey = kind === "ed25519" && encoded.length === 32;
  if (!isKey || !name.length || Number.isNaN(beginS + lastS)) {
    throw new RangeError("fleet.pub: a line is no fleet key");
  }
  return { name: name.join(" "), key: new VerifyingKey(encoded), beginS, endS: lastS + DAY_S };
}

/**
 * Whether *key* may sign at *utcS*.
 * @param {FleetKey} key
 * @param {number | bigint} utcS
 * @returns {boolean}
 */
export function isInForce(key, utcS) {
  return key.beginS <= utcS && utcS < key.endS;
}

/**
 * What the certificate says, if a fleet key signed it. Throws Refusal R2 to R6.
 * @param {Uint8Array} item
 * @param {FleetKey[]} fleet
 * @returns {Promise<TagCertificate>}
 */
export async function judgeCertificate(item, fleet) {
  const envelope = openEnvelope(item);
  const claims = claimsOf(envelope);
  const { publicKey, algorithm } = confirmedKey(claims.get(CLAIM.CONFIRMATION));
  const issuedAtS = claims.get(CLAIM.ISSUED_AT);
  return {
    subject: claims.get(CLAIM.SUBJECT),
    publicKey,
    algorithm,
    issuedAtS,
    hardware: claims.get(CLAIM.HARDWARE),
    firmware: claims.get(CLAIM.FIRMWARE),
    tid: (await sha256(item)).slice(0, 8),
    fleetKeyName: (await signerOf(envelope, issuedAtS, fleet)).name,
    raw: item,
  };
}

/**
 * The tag's key as a certificate names it; whether the fleet said so is not judged: for who
 * holds the certificate from a trusted hand (a ticket). Throws Refusal.
 * @param {Uint8Array} item
 * @returns {VerifyingKey}
 */
export function keyIn(item) {
  const claims = claimsOf(openEnvelope(item));
  return new VerifyingKey(confirmedKey(claims.get(CLAIM.CONFIRMATION)).publicKey);
}

/**
 * R1: returns where *item* may be the certificate, a COSE_Sign1 whose payload is a map without
 * key 0. Throws Refusal with the reason else.
 * @param {Uint8Array} item
 */
export function mustBeCertificate(item) {
  const payload = decoded(openEnvelope(item).payload);
  if (!(payload instanceof Map) || payload.has(0)) {
    throw new Refusal("R1", "certificate missing", "the file begins with something else");
  }
}

/** @param {Uint8Array} source */
function decoded(source) {
  try {
    return decode(source);
  } catch (fault) {
    if (fault instanceof CborRefused) throw new Refusal("R3", fault.reason);
    throw fault;
  }
}

/**
 * @param {import("./cose.js").Envelope} envelope
 * @returns {Map<unknown, any>}
 */
function claimsOf(envelope) {
  if (!isSame(envelope.protectedHeader, EDDSA_HEADER)) {
    throw new Refusal("R2", "protected header not allowed");
  }
  const claims = decoded(envelope.payload);
  const known = Object.values(CLAIM);
  const isWhole =
    claims instanceof Map &&
    claims.size === known.length &&
    known.every((claim) => claims.has(claim)) &&
    [CLAIM.SUBJECT, CLAIM.HARDWARE, CLAIM.FIRMWARE].every((claim) =>
      isText(claims.get(claim), 1, TEXT_SIZE_MAX),
    ) &&
    isUint(claims.get(CLAIM.ISSUED_AT), U64);
  if (!isWhole) throw new Refusal("R5", "certificate malformed", "claims");
  return claims;
}

/**
 * Public key and algorithm of a COSE_Key (RFC 9052 section 7).
 * @param {unknown} confirmation
 */
function confirmedKey(confirmation) {
  const isOne = confirmation instanceof Map && confirmation.size === 1;
  const key = isOne ? confirmation.get(1) : undefined;
  if (isKey(key, 1, 6, [-2])) return { publicKey: key.get(-2), algorithm: ALGORITHM.EDDSA };
  const point = isKey(key, 2, 1, [-2, -3]) ? compressedPoint(key.get(-2), key.get(-3)) : null;
  if (point === null) throw new Refusal("R5", "certificate malformed", "key");
  return { publicKey: point, algorithm: ALGORITHM.ES256 };
}

/**
 * @param {unknown} key
 * @param {number} type
 * @param {number} curve
 * @param {number[]} coordinates
 * @returns {key is Map<number, Uint8Array>}
 */
function isKey(key, type, curve, coordinates) {
  const isNamed = key instanceof Map && key.size === 2 + coordinates.length;
  if (!isNamed || key.get(1) !== type || key.get(-1) !== curve) return false;
  return coordinates.every((label) => isOctets(key.get(label), 32, 32));
}

/**
 * @param {import("./cose.js").Envelope} envelope
 * @param {number | bigint} issuedAtS
 * @param {FleetKey[]} fleet
 */
async function signerOf(envelope, issuedAtS, fleet) {
  const signers = await signersOf(envelope, fleet);
  if (!signers.length) throw new Refusal("R6", "certificate signature wrong");
  const inForce = signers.find((one) => isInForce(one, issuedAtS));
  if (!inForce) throw new Refusal("R6", "fleet key not in force", signers[0].name);
  return inForce;
}

/**
 * The fleet keys under which the signature of *envelope* holds, in their order.
 * @param {import("./cose.js").Envelope} envelope
 * @param {FleetKey[]} fleet
 * @returns {Promise<FleetKey[]>}
 */
export async function signersOf(envelope, fleet) {
  const holds = await Promise.all(fleet.map((one) => one.key.holds(envelope)));
  return fleet.filter((_, index) => holds[index]);
}
