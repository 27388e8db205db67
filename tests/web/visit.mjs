// SPDX-License-Identifier: MIT
/** visitor.js against the firmware's own session in another process: prints a line a check. */

import assert from "node:assert/strict";

import { advertId, macKey } from "../../host_tools/sealtrail/phone/static/access.js";
import * as errors from "../../host_tools/sealtrail/phone/static/errors.js";
import { MemoryStore } from "../../host_tools/sealtrail/phone/static/evidence_store.js";
import { fromHex, sha256, toHex } from "../../host_tools/sealtrail/phone/static/octets.js";
import { CODE, LIMIT } from "../../host_tools/sealtrail/phone/static/protocol.js";
import { readStatement, TYPE } from "../../host_tools/sealtrail/phone/static/statement.js";
import { Visitor } from "../../host_tools/sealtrail/phone/static/visitor.js";
import { LineProcess } from "./line_process.mjs";

const tag = new LineProcess(process.argv.slice(2));
const ask = async (name, more = {}) => JSON.parse(await tag.ask(JSON.stringify({ do: name, ...more })));

/** A link that can go wrong. Time passes only while the visitor waits. */
class PipeLink {
  nowMs = 0;
  inbox = [];
  isUp = false;
  sendCount = 0;
  answerCount = 0;
  frameCount = 0;
  connectCount = 0;
  cutAt = Infinity;
  loseSend = () => false;
  loseAnswer = () => false;
  loseFrame = () => false;
  valueSize = 244;

  async connect() {
    this.connectCount += 1;
    this.inbox = [];
    await ask("connect");
    this.isUp = true;
  }

  async send(message) {
    this.#mustBeUp();
    assert.ok(message.length <= LIMIT.MESSAGE_SIZE_MAX);
    this.sendCount += 1;
    if (this.loseSend(this.sendCount)) return;
    const { answer } = await ask("send", { message: toHex(message) });
    if (answer === null) return;
    this.answerCount += 1;
    if (!this.loseAnswer(this.answerCount)) {
      this.inbox.push({ isBulk: false, content: fromHex(answer) });
    }
  }

  async receive(timeoutMs) {
    this.#mustBeUp();
    if (!this.inbox.length) {
      const { frames } = await ask("bulk", { size: this.valueSize, count: 4 });
      for (const frame of frames) {
        this.frameCount += 1;
        const content = fromHex(frame);
        const isCut = this.frameCount > this.cutAt;
        if (isCut || !this.loseFrame(this.frameCount)) this.inbox.push({ isBulk: true, content, isCut });
      }
    }
    const inbound = this.inbox.shift();
    if (inbound?.isCut) {
      this.cutAt = Infinity;
      this.isUp = false;
      throw new errors.LinkError("the link was lost");
    }
    this.nowMs += inbound ? 5 : timeoutMs;
    return inbound ?? null;
  }

  async disconnect() {
    this.isUp = false;
  }

  #mustBeUp() {
    if (!this.isUp) throw new errors.LinkError("not connected");
  }
}

/** A person whose key nobody can export. */
async function person() {
  const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  const holderKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const sign = async (message) =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, message));
  return { holderKey, sign };
}

let certificate;
let note;

async function newTag(records = 30) {
  const made = await ask("new", { records });
  certificate = fromHex(made.certificate);
  note = { place: "dock 4", utcS: made.now_s, zoneMin: 60, seals: ["S-1138"], condition: 0 };
  return made;
}

async function visitor({ floors = [0], who = null, ...changes } = {}) {
  const { holderKey, sign } = who ?? (await person());
  const made = await ask("ticket", { key: toHex(holderKey), floors, changes });
  const visitKeys = await Promise.all(made.visit_keys.map((key) => macKey(fromHex(key))));
  const ticketKey = await macKey(fromHex(made.ticket_key));
  const [tid, ticket] = [fromHex(made.tid), fromHex(made.ticket)];
  const link = new PipeLink();
  const named = { tid, certificate, ticket, ticketKey, visitKeys, holderKey, sign };
  return new Visitor(named, link, { nowMs: () => link.nowMs });
}

async function connected(options) {
  const one = await visitor(options);
  await one.connect();
  return one;
}

async function mustHold(store) {
  const { records } = await ask("look");
  const held = records.map((_, seq) => store.records.get(seq)).map((one) => one && toHex(one));
  assert.deepEqual(held, records);
  assert.equal(store.doubledCount, 0);
}

const isA = (Kind, code) => (fault) => {
  assert.ok(fault instanceof Kind, `${fault.name}: ${fault.message}`);
  if (code) assert.equal(fault.code, code);
  assert.ok(fault.message && fault.hint !== undefined);
  return true;
};

const CHECKS = {
  async connectSaysWhatTheTagGrants() {
    await newTag();
    const one = await connected({ role: 4 });
    assert.equal(one.ready.scope, 0x3ff & ~32 & ~256 & ~512);
    assert.equal(one.head.seq, 29);
    assert.equal(await one.status(), 29);
    await one.close();
    assert.equal(one.isConnected, false);
  },
  async anOlderVisitKeyIsTriedAfterTheNewest() {
    await newTag();
    assert.ok((await connected({ floors: [9, 0] })).isConnected);
  },
  async refusalsSayWhatAndWhatNext() {
    const { now_s: nowS } = await newTag();
    const cases = [
      [{ floors: [9] }, errors.AccessRefused, CODE.DOOR],
      [{ exp: nowS - 10 }, errors.AccessRefused, CODE.EXPIRED],
      [{ trip: 4 }, errors.AccessRefused, CODE.WRONG_TRIP],
      [{ scope: 1 << 11 }, errors.DeviceError, CODE.BAD_FORM],
    ];
    for (const [changes, Kind, code] of cases) {
      await assert.rejects((await visitor(changes)).connect(), isA(Kind, code));
    }
    await ask("fail", { tno: 2, count: 5 });
    await assert.rejects((await visitor()).connect(), (fault) => /30 s/.test(fault.hint));
  },
  async aTagThatCannotProveItselfIsRefused() {
    await newTag();
    const one = await visitor();
    one.ticket.ticketKey = new Uint8Array(32);
    await assert.rejects(one.connect(), isA(errors.AccessRefused));
  },
  async aTagThatNeverAnswersIsALinkErrorInBoundedTime() {
    await newTag();
    const one = await visitor();
    one.link.loseSend = () => true;
    await assert.rejects(one.connect(), isA(errors.LinkError));
    assert.ok(one.link.nowMs <= 9000);
  },
  async aLostCommandAndALostAnswerAreSaidAgain() {
    await newTag();
    const one = await connected();
    one.link.loseSend = (count) => count === 3;
    one.link.loseAnswer = (count) => count === 3;
    assert.equal(await one.status(), 29);
    assert.equal(one.number, 3);
  },
  async syncAndAttest() {
    await newTag();
    const one = await connected();
    const store = new MemoryStore(certificate);
    const seen = [];
    const done = await one.sync(store, (progress) => seen.push(progress));
    await mustHold(store);
    assert.equal(done.headSeq, store.records.size - 1);
    assert.ok(seen.length && seen.every((progress) => progress.recordCount > 0));
    const attested = await one.attest(one.random(16));
    assert.equal(attested.seq, done.headSeq);
    assert.equal(readStatement(attested.signed).type, TYPE.ATTEST);
    await one.sync(store); // nothing new, nothing doubled
    await mustHold(store);
  },
  async everyCutIsClean() {
    for (let cutAt = 0; cutAt < 100; cutAt += 1) {
      await newTag(24); // a session leaves a record: on one tag the stream would grow with cutAt
      const one = await connected();
      const store = new MemoryStore(certificate);
      one.link.cutAt = cutAt;
      const isCut = await one.sync(store).then(
        () => false,
        (fault) => isA(errors.LinkError)(fault),
      );
      if (isCut) {
        await one.connect();
        await one.sync(store);
      }
      await mustHold(store);
      if (!isCut) {
        assert.ok(cutAt > 15);
        return;
      }
    }
    assert.fail("never whole");
  },
  async lostFramesAndAcksAreNoLoss() {
    await newTag(60);
    for (let every = 5; every < 12; every += 1) {
      const one = await connected();
      one.link.valueSize = 60;
      one.link.loseFrame = (count) => count % (every * 9) === 0;
      one.link.loseSend = (count) => count > 2 && count % every === 0;
      const store = new MemoryStore(certificate);
      for (let count = 0; count < 20; count += 1) {
        if (!one.isConnected) await one.connect();
        const isDone = await one.sync(store).then(
          () => true,
          (fault) => !isA(errors.LinkError)(fault),
        );
        if (isDone) break;
        await one.close();
      }
      await mustHold(store);
    }
  },
  async theAckComesOnlyAfterTheStoreIsDurable() {
    await newTag(100);
    const one = await connected();
    const store = new MemoryStore(certificate);
    let isWriting = false;
    const append = store.append.bind(store);
    store.append = async (records) => {
      isWriting = true;
      await new Promise((resolve) => setTimeout(resolve, 2));
      await append(records);
      isWriting = false;
    };
    const send = one.link.send.bind(one.link);
    one.link.send = async (message) => {
      assert.equal(isWriting, false, "said something while records were not durable");
      await send(message);
    };
    await one.sync(store);
    await mustHold(store);
    store.append = async () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    await ask("log", { count: 5 });
    const sent = one.link.sendCount;
    await assert.rejects(one.sync(store), { name: "QuotaExceededError" });
    assert.equal(one.link.sendCount, sent + 1, "acknowledged what was not kept");
  },
  async overwrittenRecordsAreCounted() {
    await newTag(20);
    await ask("overwrite", { first_seq: 7 });
    const one = await connected();
    const store = new MemoryStore(certificate);
    await one.sync(store);
    assert.equal(one.goneCount, 7);
    assert.equal(await store.firstMissing(), 0);
    assert.equal(await store.firstMissing(7), store.records.size + 7);
  },
  async aForkEndsTheSync() {
    await newTag(3);
    const one = await connected();
    const store = new MemoryStore(certificate);
    await one.sync(store);
    const last = store.records.size - 1;
    const changed = store.records.get(last).slice();
    changed[changed.length - 1] ^= 1;
    store.records.set(last, changed);
    await assert.rejects(one.sync(store), isA(errors.EvidenceRefused));
  },
  async aHandoverByAKeyNobodyCanExport() {
    await newTag(5);
    const [giver, receiver] = [await person(), await person()];
    const first = await connected({ who: giver });
    const offer = await first.offer(note, receiver.holderKey);
    await first.close();
    const second = await connected({ who: receiver });
    assert.deepEqual(await second.pending(), offer);
    const accepted = await second.accept(note);
    const { fields } = readStatement(accepted);
    assert.deepEqual(fields.get(13), await sha256(offer));
    const { events } = await ask("look");
    assert.equal(events.filter((code) => code === 41).length, 1);
    assert.equal(events.filter((code) => code === 42).length, 1);
    assert.equal(await second.pending(), null);
  },
  async aLostAnswerToAnOfferDoublesNothing() {
    await newTag(5);
    const one = await connected();
    one.link.loseAnswer = (count) => count === 4;
    await one.offer(note);
    assert.equal((await ask("look")).events.filter((code) => code === 41).length, 1);
  },
  async whatCannotBeSignedIsSaidToThePerson() {
    await newTag(5);
    const one = await connected();
    await assert.rejects(one.offer({ ...note, place: "x".repeat(49) }), isA(errors.InputError));
    await assert.rejects(one.offer({ ...note, seals: Array(5).fill("S") }), isA(errors.InputError));
  },
  async keysAreFollowedFromTheCertificate() {
    await newTag(3);
    for (let count = 0; count < 3; count += 1) {
      await ask("roll");
      await ask("log", { count: 70 });
    }
    const one = await connected();
    await one.offer(note);
    assert.equal(one.knownKeys.length, 3);
    const sent = one.link.sendCount;
    await one.offer(note); // knows them by now: ATTEST, OFFER
    assert.equal(one.link.sendCount, sent + 2);
    await assert.rejects(one.accept(note), isA(errors.DeviceError, CODE.BAD_STATE)); // from himself
  },
  async aKeyThatFollowsFromNothingIsRefused() {
    await newTag(3);
    await ask("roll", { forged: true });
    const one = await connected();
    await assert.rejects(one.offer(note), (fault) => {
      assert.match(fault.message, /key record is not signed by the key before/);
      return isA(errors.EvidenceRefused)(fault);
    });
    assert.equal((await ask("look")).events.includes(41), false);
  },
  async anAnswerToAnEarlierCommandIsNotTakenForThisOne() {
    await newTag(3);
    const one = await connected();
    const receive = one.link.receive.bind(one.link);
    let old = null;
    one.link.receive = async (timeoutMs) => {
      const inbound = await receive(timeoutMs);
      old ??= inbound;
      return inbound;
    };
    assert.equal(await one.status(), 2);
    await ask("log", { count: 4 });
    one.link.inbox.push(old);
    assert.equal(await one.status(), 6);
  },
  async overwrittenKeysAreUnprovenNotForged() {
    await newTag(3);
    await ask("roll");
    await ask("log", { count: 10 });
    await ask("overwrite", { first_seq: 9 });
    await assert.rejects((await connected()).offer(note), isA(errors.Incomplete));
  },
  async tripsStartAndEnd() {
    const { rules } = await newTag(3);
    const one = await connected();
    await one.tripStart(7, new Uint8Array(32), fromHex(rules));
    assert.equal((await ask("look")).trip, 7);
    await one.tripEnd();
    assert.equal((await ask("look")).trip, 0);
    await one.tripEnd(); // said again: its answer might have been lost
    await one.close();
    await assert.rejects((await connected()).tripEnd(), isA(errors.DeviceError, CODE.BAD_STATE));
  },
  async aCourierHasNoTrips() {
    const { rules } = await newTag(3);
    const one = await connected({ role: 2 });
    const started = one.tripStart(7, new Uint8Array(32), fromHex(rules));
    await assert.rejects(started, isA(errors.AccessRefused, CODE.NO_SCOPE));
  },
  async aDamagedAnswerIsAsIfItHadNotCome() {
    await newTag(3);
    const one = await connected();
    const receive = one.link.receive.bind(one.link);
    let damaged = 0;
    one.link.receive = async (timeoutMs) => {
      const inbound = await receive(timeoutMs);
      if (inbound && !inbound.isBulk && damaged < 2) {
        damaged += 1;
        inbound.content[inbound.content.length - 1] ^= 1;
      }
      return inbound;
    };
    assert.equal(await one.status(), 2);
    assert.equal(damaged, 2);
  },
  async theAdvertsOfAVisitKey() {
    await newTag(1);
    const { ticket } = await visitor();
    const ids = await Promise.all([0, 255].map((index) => advertId(ticket.visitKeys[0], index)));
    assert.notDeepEqual(ids[0], ids[1]);
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
tag.end();
process.stdout.write(`checks ${Object.keys(CHECKS).length}\n`);
