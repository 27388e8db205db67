// SPDX-License-Identifier: MIT
/** courier.js, carry.js, upload.js, receipts.js, enrol.js over fakes: prints a line a check. */

import assert from "node:assert/strict";

import { bring, Pouch } from "../../host_tools/sealtrail/phone/static/carry.js";
import { EDDSA_HEADER, sealEnvelope, signedBytes, VerifyingKey } from "../../host_tools/sealtrail/phone/static/cose.js";
import { encode } from "../../host_tools/sealtrail/phone/static/cbor.js";
import { Courier, TABLE } from "../../host_tools/sealtrail/phone/static/courier.js";
import { enrol, readLink } from "../../host_tools/sealtrail/phone/static/enrol.js";
import * as errors from "../../host_tools/sealtrail/phone/static/errors.js";
import { join, sha256, toHex, utf8 } from "../../host_tools/sealtrail/phone/static/octets.js";
import { CODE, OP } from "../../host_tools/sealtrail/phone/static/protocol.js";
import { believed } from "../../host_tools/sealtrail/phone/static/receipts.js";
import { deliver, flush } from "../../host_tools/sealtrail/phone/static/upload.js";
import { FakeArchive, FakeDatabase, FakeEvidence, FakeVisitor, lost } from "./page_fakes.mjs";

const TAG = "0011223344556677";
const TID = Uint8Array.of(0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77);
const NOW_MS = 1_795_000_000_000;
const note = { place: "dock", utcS: 1, zoneMin: 0, seals: [], condition: 0 };

async function visit(faults = []) {
  const [visitor, database] = [new FakeVisitor(), new FakeDatabase()];
  visitor.faults = faults;
  const pouch = await Pouch.load(database, TAG);
  const states = [];
  const courier = new Courier({
    visitor,
    pouch,
    evidence: new FakeEvidence(TAG, 0),
    nowMs: () => NOW_MS,
    pause: async () => {},
    onChange: ({ state }) => states.at(-1) !== state && states.push(state),
  });
  return { courier, visitor, pouch, states, database };
}

async function signer() {
  const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
  const key = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const seal = async (header, type, fields) => {
    const payload = encode(new Map([[0, type], ...fields]));
    const message = signedBytes(header, payload);
    return sealEnvelope(header, payload, new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, message)));
  };
  return { key, seal };
}

/** A fleet, its service key, and a receipt for record 4 of *evidence*. */
async function words(evidence, { usage = 2, by = null, hash = null } = {}) {
  const [fleet, service] = [await signer(), await signer()];
  const nowS = NOW_MS / 1000;
  const certificate = await fleet.seal(EDDSA_HEADER, 19, [
    [1, service.key], [2, nowS - 9], [3, nowS + 9], [4, usage], [5, 1], [6, 1],
  ]);
  const kid = (await sha256(service.key)).slice(0, 8);
  const header = join(Uint8Array.of(0xa2, 0x01, 0x27, 0x04, 0x48), kid);
  const receipt = await (by ?? service).seal(header, 17, [
    [1, TID], [2, 4], [3, hash ?? (await evidence.prevHash(5))], [4, NOW_MS],
  ]);
  const rows = [
    { op: OP.SERVICE_CERT, type: 19, statement: toHex(certificate) },
    { op: OP.RECEIPT, type: 17, statement: toHex(receipt) },
  ];
  const keys = [{ name: "f", key: new VerifyingKey(fleet.key), beginS: 0, endS: 2 ** 33 }];
  return { rows, keys };
}

const CHECKS = {
  async aVisitConnectsSyncsAndIsReady() {
    const { courier, states } = await visit();
    await courier.begin();
    assert.deepEqual(states, ["CONNECTING", "SYNCING", "CARRYING", "READY"]);
    assert.equal(courier.view.doneShare, 1);
    assert.equal(courier.view.headSeq, 9);
  },
  async aLostLinkIsConnectedAgainAndResumed() {
    const { courier, visitor, states } = await visit([
      { at: "sync", fault: lost() }, { at: "connect", fault: lost() },
    ]);
    await courier.begin();
    assert.equal(courier.view.state, "READY");
    assert.equal(states.filter((one) => one === "WAITING").length, 2);
    assert.equal(visitor.said.filter((one) => one === "close").length, 2); // half a session is ended
    assert.equal(courier.view.problem, null);
  },
  async aLinkThatStaysLostIsToldInWords() {
    const { courier, visitor } = await visit(Array.from({ length: 9 }, () => ({ at: "connect", fault: lost() })));
    await courier.begin();
    assert.equal(courier.view.state, "TROUBLE");
    assert.match(courier.view.problem.message, /lost/);
    assert.equal(visitor.said.filter((one) => one === "connect").length, 6);
    visitor.faults = [];
    await courier.begin();
    assert.equal(courier.view.state, "READY");
  },
  async aRefusalIsNotTriedAgain() {
    const refused = new errors.AccessRefused("This ticket has expired.", "Ask for a new ticket.");
    const { courier, visitor } = await visit([{ at: "connect", fault: refused }]);
    await courier.begin();
    assert.equal(courier.view.state, "TROUBLE");
    assert.equal(courier.view.problem.hint, "Ask for a new ticket.");
    assert.equal(visitor.said.filter((one) => one === "connect").length, 1);
  },
  async aFullPhoneEndsTheVisitInWords() {
    const { courier } = await visit([{ at: "sync", fault: new DOMException("", "QuotaExceededError") }]);
    await courier.begin();
    assert.match(courier.view.problem.message, /cannot keep/);
  },
  async whatIsSignedIsFetchedAfterwards() {
    for (const [kind, sign] of [["offer", "handOver"], ["accept", "takeOver"]]) {
      const { courier, visitor } = await visit();
      await courier.begin();
      await courier[sign](note);
      assert.equal(courier.view.signed, kind);
      assert.deepEqual(visitor.said, ["connect", "sync", "pending", kind, "sync", "pending"]);
    }
  },
  async nothingIsSignedOutsideOfReady() {
    const { courier, visitor } = await visit();
    await assert.rejects(courier.handOver(note), RangeError);
    assert.deepEqual(visitor.said, []);
  },
  async aRefusedSignatureLeavesTheVisitReady() {
    const stale = new errors.DeviceError("The tag has moved on.", "Sign again.");
    const { courier } = await visit([{ at: "offer", fault: stale }]);
    await courier.begin();
    await courier.handOver(note);
    assert.equal(courier.view.state, "READY");
    assert.equal(courier.view.signed, "");
    assert.equal(courier.view.problem.hint, "Sign again.");
  },
  async aLinkLostBehindTheSignatureKeepsIt() {
    const { courier, visitor } = await visit();
    await courier.begin();
    visitor.faults = [{ at: "sync", fault: lost() }];
    await courier.handOver(note);
    assert.equal(courier.view.state, "READY");
    assert.equal(courier.view.signed, "offer");
    assert.equal(visitor.said.filter((one) => one === "offer").length, 1);
  },
  async everyStateOfTheTableHasAWayOut() {
    for (const [state, ways] of Object.entries(TABLE)) {
      assert.ok(ways.length && ways.every((way) => way in TABLE), state);
    }
  },
  async mailIsBroughtInOrderAndOnce() {
    const { pouch, visitor, database } = await visit();
    const of = (op) => ({ op, statement: Uint8Array.of(op) });
    await pouch.refill([of(OP.RECEIPT), of(OP.SERVICE_CERT), of(OP.FLEET_NEXT)]);
    visitor.answers.set(OP.SERVICE_CERT, { code: CODE.BAD_STATE });
    visitor.answers.set(OP.FLEET_NEXT, { code: CODE.STALE });
    assert.equal((await bring(visitor, pouch, NOW_MS)).takenCount, 2);
    assert.deepEqual(visitor.said, [OP.FLEET_NEXT, OP.SERVICE_CERT, OP.RECEIPT].map((op) => `ask ${op}`));
    const again = await Pouch.load(database, TAG);
    assert.deepEqual((await again.due()).map((one) => one.op), [OP.SERVICE_CERT]);
  },
  async aForkToldByTheTagIsAnAlarm() {
    const { pouch, visitor } = await visit();
    await pouch.refill([{ op: OP.RECEIPT, statement: Uint8Array.of(1) }]);
    visitor.answers.set(OP.RECEIPT, { code: CODE.FORK });
    assert.deepEqual((await bring(visitor, pouch, NOW_MS)).alarms, ["FORK"]);
  },
  async anUnsureClocksNonceIsKeptBeforeAnybodyAsks() {
    const { pouch, visitor, database } = await visit();
    visitor.ready = { isSure: false };
    visitor.answers.set(OP.TIME_NONCE, { content: new Uint8Array(16) });
    await bring(visitor, pouch, NOW_MS);
    assert.equal((await Pouch.load(database, TAG)).liveNonces(NOW_MS).length, 1);
    assert.equal((await Pouch.load(database, TAG)).liveNonces(NOW_MS + 86_400_000).length, 0);
  },
  async onlyWhatTheArchiveLacksIsSent() {
    const evidence = new FakeEvidence(TAG, 6);
    const head_hash = toHex(await evidence.prevHash(3));
    const archive = new FakeArchive(TAG, { head: 2, head_hash, loose: [[4, 4]] });
    await deliver(evidence, (await visit()).pouch, { archive, fleet: [], nowMs: NOW_MS, tid: TID });
    assert.deepEqual(archive.bodies, ["ce", "ced203d205"]);
  },
  async anotherRecordThereMakesAllOfOursGo() {
    const archive = new FakeArchive(TAG, { head: 2, head_hash: "00" });
    const evidence = new FakeEvidence(TAG, 4);
    await deliver(evidence, (await visit()).pouch, { archive, fleet: [], nowMs: NOW_MS, tid: TID });
    assert.equal(archive.bodies[1], "ced200d201d202d203");
  },
  async whatFailedStaysDueAndNamed() {
    const database = new FakeDatabase();
    await database.write([{ store: "outbox", key: TAG, value: { mark: "1", problem: "" } }]);
    const done = await flush(database, () => Promise.reject(lost()));
    assert.match(done[0].problem, /lost/);
    assert.match((await database.get("outbox", TAG)).problem, /lost/);
    await flush(database, async () => ({ tag: TAG, newCount: 1, headSeq: 5, receiptSeq: -1, problem: "" }));
    assert.equal(await database.get("outbox", TAG), undefined);
    assert.equal((await database.get("tags", TAG)).uploadedSeq, 5);
  },
  async whatIsAddedDuringAnUploadStaysDue() {
    const database = new FakeDatabase();
    const due = (mark) => database.write([{ store: "outbox", key: TAG, value: { mark, problem: "" } }]);
    await due("1");
    await flush(database, async () => {
      await due("2");
      return { tag: TAG, newCount: 1, headSeq: 5, receiptSeq: -1, problem: "" };
    });
    assert.equal((await database.get("outbox", TAG)).mark, "2");
  },
  async aGoodReceiptIsCarried() {
    const evidence = new FakeEvidence(TAG, 6);
    const { rows, keys } = await words(evidence);
    const archive = new FakeArchive(TAG);
    archive.statements = rows;
    const { pouch } = await visit();
    const done = await deliver(evidence, pouch, { archive, fleet: keys, nowMs: NOW_MS, tid: TID });
    assert.equal(done.receiptSeq, 4);
    assert.deepEqual((await pouch.due()).map((one) => one.op), [OP.SERVICE_CERT, OP.RECEIPT]);
  },
  async aReceiptThatDoesNotHoldIsNot() {
    const evidence = new FakeEvidence(TAG, 6);
    const known = { tid: TID, evidence };
    for (const options of [{ by: await signer() }, { usage: 1 }]) {
      const { rows, keys } = await words(evidence, options);
      const found = await believed({ statements: rows }, { ...known, fleet: keys });
      assert.equal(found.receiptSeq, -1);
      assert.equal(found.parcels.length, 1);
    }
    const { rows } = await words(evidence);
    assert.equal((await believed({ statements: rows }, { ...known, fleet: [] })).receiptSeq, -1);
    const others = { tid: new Uint8Array(8), evidence, fleet: (await words(evidence)).keys };
    assert.equal((await believed({ statements: rows }, others)).receiptSeq, -1);
  },
  async aReceiptForAnotherRecordIsAFork() {
    const evidence = new FakeEvidence(TAG, 6);
    const { rows, keys } = await words(evidence, { hash: new Uint8Array(32) });
    const judged = believed({ statements: rows }, { tid: TID, evidence, fleet: keys });
    await assert.rejects(judged, errors.EvidenceRefused);
  },
  async aLinkIsReadStrictly() {
    const token = `st1_${"a".repeat(43)}`;
    const good = readLink(`https://x/#enrol=${token}&client=ann+b&archive=/v1`);
    assert.deepEqual(good, { token, name: "ann b", path: "/v1" });
    assert.equal(readLink("https://x/"), null);
    for (const end of ["&client=a&archive=//evil/v1", "&client=a&archive=https://evil", "", "&client="]) {
      assert.throws(() => readLink(`#enrol=${token}${end}`), errors.InputError, end);
    }
    assert.throws(() => readLink("#enrol=a%20b&client=a"), errors.InputError);
  },
  async enrollingProvesTheKeyAndRepeatingIsHarmless() {
    const database = new FakeDatabase();
    let [key, tokens] = [null, new Set()];
    const ask = async (path, { headers, body }) => {
      tokens.add(headers.Authorization);
      const said = body ? JSON.parse(body) : null;
      if (path === "/v1/me/key") {
        const octets = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
        const raw = await crypto.subtle.importKey("raw", octets(said.public_key), "Ed25519", true, ["verify"]);
        const message = utf8("sealtrail/1 client key\0ann");
        assert.ok(await crypto.subtle.verify("Ed25519", raw, octets(said.proof), message));
        assert.ok(await database.get("settings", "key"), "the archive heard before the disk");
        key = said.public_key;
      }
      const content = path === "/v1/tickets" ? { tickets: [] } : { name: "ann", public_key: key };
      return { status: 200, json: async () => content };
    };
    const client = { token: "t".repeat(20), name: "ann", path: "/v1" };
    for (let count = 0; count < 2; count += 1) await enrol(client, { database, ask });
    assert.deepEqual([...tokens], [`Bearer ${client.token}`]);
    const { secret } = await database.get("settings", "key");
    assert.equal(secret.extractable, false);
    const cleared = new FakeDatabase(); // the browser has cleared its storage
    await assert.rejects(enrol(client, { database: cleared, ask }), errors.AccessRefused);
    assert.equal(await cleared.get("settings", "client"), undefined);
  },
};

for (const [name, check] of Object.entries(CHECKS)) {
  try {
    await check();
  } catch (fault) {
    process.stdout.write(`FAILED ${name}\n`);
    throw fault;
  }
  process.stdout.write(`ok ${name}\n`);
}
process.stdout.write(`checks ${Object.keys(CHECKS).length}\n`);
