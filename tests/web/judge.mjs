// SPDX-License-Identifier: MIT
/** Judges a file of jobs, one JSON value a line (tests/web/node.py); answers on stdout. */

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

import * as cbor from "../../host_tools/sealtrail/phone/static/cbor.js";
import { readFleet } from "../../host_tools/sealtrail/phone/static/certificate.js";
import { openEnvelope, VerifyingKey } from "../../host_tools/sealtrail/phone/static/cose.js";
import { fromHex, join, toHex } from "../../host_tools/sealtrail/phone/static/octets.js";
import { holdsEd25519 } from "../../host_tools/sealtrail/phone/static/ed25519.js";
import { compressedPoint, holdsP256 } from "../../host_tools/sealtrail/phone/static/p256.js";
import { readPayload } from "../../host_tools/sealtrail/phone/static/payload.js";
import { NotVerified, Refusal } from "../../host_tools/sealtrail/phone/static/refusal.js";
import { readStatement } from "../../host_tools/sealtrail/phone/static/statement.js";
import { verifyEvidence } from "../../host_tools/sealtrail/phone/static/verify.js";

const AT_ONCE = 32;
const SLOW_MS = 20_000; // for one of them, with all the others beside it

// Thousands of mutations share nearly all their records: a signature that was judged once, for
// the same key, signature and message, is not judged again.
const { subtle } = globalThis.crypto;
const verify = subtle.verify.bind(subtle);
const judged = new WeakMap();
subtle.verify = (algorithm, key, signature, message) => {
  const answers = judged.get(key) ?? judged.set(key, new Map()).get(key);
  const asked = Buffer.concat([signature, message]).toString("latin1");
  if (!answers.has(asked)) answers.set(asked, verify(algorithm, key, signature, message));
  return answers.get(asked);
};

let sample = new Uint8Array(0);
let sampleTrust = null;

function trustOf(job) {
  const head = job.known_head;
  return {
    fleet: readFleet(job.fleet_pub),
    nonces: new Set(job.nonces),
    knownHead: head ? { seq: head.seq, sha256: fromHex(head.sha256) } : null,
    statements: (job.stored ?? []).map(fromHex),
  };
}

async function verdictOf(raw, trust) {
  const begun = performance.now();
  const said = await verdictOn(raw, trust);
  if (performance.now() - begun > SLOW_MS) return { verdict: "too slow" };
  return said;
}

async function verdictOn(raw, trust) {
  try {
    const found = await verifyEvidence(raw, trust);
    const custody = found.custody.map((step) => [
      step.verdict,
      step.giver?.name ?? null,
      step.receiver?.name ?? null,
      step.keyKnown,
    ]);
    const verdict = found.freshness.completeness;
    return { verdict, rule: "", reason: "ok", index: null, custody, sha256: toHex(found.sha256) };
  } catch (fault) {
    if (!(fault instanceof NotVerified)) throw fault;
    const { verdict, rule, reason, index, seq } = fault;
    return { verdict, rule, reason, index, seq };
  }
}

/** "ok" or the reason for which *read* refused. */
function reasonOf(read) {
  try {
    read();
    return "ok";
  } catch (fault) {
    if (fault instanceof Refusal || fault instanceof cbor.CborRefused) return fault.reason;
    throw fault;
  }
}

function readRecord(item) {
  // In a file R1 comes first; here an item of another kind is for R2 to name.
  if (item.length > 1024) throw new Refusal("R1", "item too long");
  if (item[0] === 0xd2 && cbor.itemEnd(item) !== item.length) {
    throw new Refusal("R3", "trailing bytes");
  }
  readPayload(openEnvelope(item));
}

function rewritten(item) {
  const value = cbor.decode(item);
  if (toHex(cbor.encode(value)) !== toHex(item)) throw new Error("written otherwise than read");
}

const KINDS = {
  sample(job) {
    sample = fromHex(job.evidence);
    sampleTrust = trustOf(job);
    return verdictOf(sample, sampleTrust);
  },
  change(job) {
    const tail = sample.subarray(sample.length - job.tail);
    return verdictOf(join(sample.subarray(0, job.keep), fromHex(job.put), tail), sampleTrust);
  },
  evidence: (job) => verdictOf(fromHex(job.evidence), trustOf(job)),
  cbor: (job) => reasonOf(() => rewritten(fromHex(job.input))),
  record: (job) => reasonOf(() => readRecord(fromHex(job.input))),
  statement: (job) => reasonOf(() => readStatement(fromHex(job.input))),
  ed25519: (job) => holdsEd25519(...[job.key, job.signature, job.message].map(fromHex)),
  p256(job) {
    const [x, y, signature, message] = [job.x, job.y, job.signature, job.message].map(fromHex);
    const point = compressedPoint(x, y);
    return point !== null && holdsP256(point, signature, message);
  },
  point(job) {
    const key = compressedPoint(fromHex(job.x), fromHex(job.y));
    return key === null ? null : toHex(new VerifyingKey(key).encoded);
  },
};

/** Several at once, since each waits for WebCrypto most of the time; answers in order. */
async function answer(jobs) {
  const answers = await Promise.all(jobs.map((job) => KINDS[job.kind](job)));
  process.stdout.write(answers.map((one) => `${JSON.stringify(one)}\n`).join(""));
}

let jobs = [];
for await (const line of createInterface({ input: createReadStream(process.argv[2]) })) {
  jobs.push(JSON.parse(line));
  if (jobs.length === AT_ONCE || jobs[0].kind === "sample") await answer(jobs.splice(0));
}
await answer(jobs);
