// SPDX-License-Identifier: MIT
/** An engine that lets every signature pass: what is refused here is refused by our own rules. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { holdsEd25519 } from "../../host_tools/sealtrail/phone/static/ed25519.js";
import { fromHex, join } from "../../host_tools/sealtrail/phone/static/octets.js";
import { holdsP256 } from "../../host_tools/sealtrail/phone/static/p256.js";

crypto.subtle.verify = async () => true;

for (const { name, key, signature, holds } of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  const said = await holdsEd25519(fromHex(key), fromHex(signature), new Uint8Array(1));
  assert.equal(said, holds, name);
}

const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
const key = join(Uint8Array.of(2 + (raw[64] & 1)), raw.slice(1, 33));
const order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const half = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";
const above = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9";
const [one, zero] = ["1".padStart(64, "0"), "0".repeat(64)];
const cases = [
  [one, one, true],
  [one, half, true],
  [one, above, false],
  [zero, one, false],
  [one, zero, false],
  [order, one, false],
];
for (const [r, s, holds] of cases) {
  assert.equal(await holdsP256(key, fromHex(r + s), new Uint8Array(1)), holds, r + s);
}
process.stdout.write("done\n");
