// SPDX-License-Identifier: MIT
// @ts-check
/**
 * ES256 by WebCrypto: keys are compressed points (33 bytes), s in the lower half (R10).
 * Numbers here are public; nothing secret is computed with bigint.
 */

import { bigEndian, fromHex, join } from "./octets.js";

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const ECDSA = { name: "ECDSA", namedCurve: "P-256" };
const SHA256 = { name: "ECDSA", hash: "SHA-256" };

/**
 * The 33 bytes of a key given by its coordinates (32 bytes each), null if no point of the curve.
 * @param {Uint8Array} x
 * @param {Uint8Array} y
 * @returns {Uint8Array | null}
 */
export function compressedPoint(x, y) {
  const [across, up] = [bigEndian(x), bigEndian(y)];
  if (across >= P || up >= P || (up * up) % P !== rightSide(across)) return null;
  return join(Uint8Array.of(2 + (y[31] & 1)), x);
}

/**
 * Whether *signature* (r, s: 32 bytes each) over *message* holds under *key* (33 bytes).
 * @param {Uint8Array} key
 * @param {Uint8Array} signature
 * @param {Uint8Array} message
 * @returns {Promise<boolean>}
 */
export async function holdsP256(key, signature, message) {
  const [r, s] = [bigEndian(signature.slice(0, 32)), bigEndian(signature.slice(32))];
  // order - s would verify too: who holds no key could make a second record of each number.
  if (r <= 0n || r >= ORDER || s <= 0n || s > ORDER / 2n) return false;
  const point = uncompressed(key);
  if (point === null) return false;
  const imported = await crypto.subtle.importKey("raw", point, ECDSA, false, ["verify"]);
  return crypto.subtle.verify(SHA256, imported, signature, message);
}

/**
 * The 65 bytes that WebCrypto takes, null if *key* is no point of the curve.
 * @param {Uint8Array} key
 */
function uncompressed(key) {
  if (key.length !== 33 || (key[0] !== 2 && key[0] !== 3)) return null;
  const x = key.slice(1);
  const across = bigEndian(x);
  if (across >= P) return null;
  const root = power(rightSide(across), (P + 1n) / 4n); // P = 3 (mod 4)
  if ((root * root) % P !== rightSide(across)) return null;
  const up = root % 2n === BigInt(key[0] & 1) ? root : P - root;
  return join(Uint8Array.of(4), x, fromHex(up.toString(16).padStart(64, "0")));
}

/** @param {bigint} x */
function rightSide(x) {
  return (((x * x * x - 3n * x + B) % P) + P) % P;
}

/**
 * @param {bigint} base
 * @param {bigint} exponent
 */
function power(base, exponent) {
  let [result, square] = [1n, base % P];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}
