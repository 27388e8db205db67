// SPDX-License-Identifier: MIT
/**
 * Every parser of bytes that others chose, on bytes that nobody meant: only our own refusals.
 *     node fuzz.mjs COUNT FILE      FILE: JSON, samples in hex; prints how many were refused
 */

import { readFileSync } from "node:fs";

import { FormError, parseReady, parseTicket } from "../../host_tools/sealtrail/phone/static/access.js";
import * as cbor from "../../host_tools/sealtrail/phone/static/cbor.js";
import { keyIn, mustBeCertificate } from "../../host_tools/sealtrail/phone/static/certificate.js";
import { openEnvelope } from "../../host_tools/sealtrail/phone/static/cose.js";
import { VisitError } from "../../host_tools/sealtrail/phone/static/errors.js";
import { FrameError, Joiner, Sealer } from "../../host_tools/sealtrail/phone/static/frames.js";
import { parseKeys } from "../../host_tools/sealtrail/phone/static/key_chain.js";
import { fromHex, join } from "../../host_tools/sealtrail/phone/static/octets.js";
import { readPayload } from "../../host_tools/sealtrail/phone/static/payload.js";
import { Refusal } from "../../host_tools/sealtrail/phone/static/refusal.js";
import { linkOf, sizeAt } from "../../host_tools/sealtrail/phone/static/record_link.js";
import { readStatement, statementType } from "../../host_tools/sealtrail/phone/static/statement.js";
import { HostSync, SyncError } from "../../host_tools/sealtrail/phone/static/sync.js";
import { verifyEvidence } from "../../host_tools/sealtrail/phone/static/verify.js";

const OURS = [FormError, cbor.CborRefused, FrameError, Refusal, SyncError, VisitError];
const TRUST = { fleet: [], nonces: new Set(), knownHead: null, statements: [] };
const sealer = await Sealer.of(new Uint8Array(32), new Uint8Array(16));
const joiner = new Joiner();

let state = 20_261_125;
function draw(below) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

/** A sample with some bytes changed, put in, left out or doubled; or noise. */
function changed(sample) {
  if (draw(10) === 0) return Uint8Array.from({ length: draw(200) }, () => draw(256));
  let made = sample;
  for (let count = 1 + draw(4); count > 0; count -= 1) {
    const [at, size] = [draw(made.length + 1), draw(12)];
    const put = Uint8Array.from({ length: draw(3) ? 1 : size }, () => draw(256));
    made = join(made.subarray(0, at), put, made.subarray(draw(2) ? at : at + put.length));
  }
  return made;
}

const PARSERS = [
  (content) => cbor.decode(content),
  (content) => cbor.itemSize(content, 0, 1024),
  (content) => parseTicket(content),
  (content) => parseReady(content),
  (content) => parseKeys(content, draw(5)),
  (content) => joiner.feed(content.slice(0, 250)),
  (content) => sealer.open(0x11, content),
  (content) => sealer.openBulk(content),
  (content) => [linkOf(content), sizeAt(content, 0)],
  (content) => readPayload(openEnvelope(content)),
  (content) => [statementType(content), readStatement(content)],
  (content) => [mustBeCertificate(content), keyIn(content)],
  (content) => verifyEvidence(content, TRUST),
  async (content) => {
    const host = new HostSync(0, null);
    host.start(0);
    host.onReply(0, new Uint8Array(36).fill(1), 0);
    await host.onBulk(0, content, 1);
  },
];

const samples = JSON.parse(readFileSync(process.argv[3], "utf8")).map(fromHex);
let refused = 0;
for (let count = 0; count < Number(process.argv[2]); count += 1) {
  const content = changed(samples[draw(samples.length)]);
  try {
    await PARSERS[count % PARSERS.length](content);
  } catch (fault) {
    if (!OURS.some((one) => fault instanceof one)) throw fault;
    refused += 1;
  }
}
process.stdout.write(`${refused}\n`);
