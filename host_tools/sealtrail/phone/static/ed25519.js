// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Ed25519 by WebCrypto, with the rules of docs/ed25519.md ("Which signatures hold") on top:
 * engines have differed in what they let pass. S below L; R and key canonical, and none of
 * the eight points of small order. The equation itself, without cofactor, is WebCrypto's.
 */

import { fromHex, isSame, littleEndian, toHex } from "./octets.js";

const P = (1n << 255n) - 19n;
const L = (1n << 252n) + 27742317777372353535851937790883648493n;
// y of the eight points of small order, the sign bit left out; little-endian.
const SMALL_ORDER = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
].map(fromHex);

// A chain has few keys and many records: the newest of them stay imported.
const IMPORTED_MAX = 64;
/** @type {Map<string, Promise<CryptoKey>>} */
const imported = new Map();

/**
 * Whether *octets* (32) may encode a point here: y below p, and not of small order. Whether
 * there is such a point is WebCrypto's to find.
 * @param {Uint8Array} octets
 * @returns {boolean}
 */
export function isAllowedPoint(octets) {
  const y = octets.slice();
  y[31] &= 0x7f;
  return littleEndian(y) < P && !SMALL_ORDER.some((one) => isSame(one, y));
}

/**
 * Whether *signature* (64 bytes) over *message* holds under *key* (32 bytes).
 * @param {Uint8Array} key
 * @param {Uint8Array} signature
 * @param {Uint8Array} message
 * @returns {Promise<boolean>}
 */
export async function holdsEd25519(key, signature, message) {
  if (key.length !== 32 || signature.length !== 64) return false;
  if (littleEndian(signature.subarray(32)) >= L) return false;
  if (!isAllowedPoint(key) || !isAllowedPoint(signature.slice(0, 32))) return false;
  try {
    return await crypto.subtle.verify("Ed25519", await importOnce(key), signature, message);
  } catch (fault) {
    // No point with this y. An engine without Ed25519 is another matter: never a verdict.
    if (fault instanceof DOMException && fault.name !== "NotSupportedError") return false;
    throw fault;
  }
}

/** @param {Uint8Array} key */
function importOnce(key) {
  const name = toHex(key);
  const known = imported.get(name);
  if (known) return known;
  const made = crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  if (imported.size >= IMPORTED_MAX) imported.clear();
  imported.set(name, made);
  return made;
}
