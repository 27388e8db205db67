// SPDX-License-Identifier: MIT
/** HostSync event by event, without a tag: prints a line a check. */

import assert from "node:assert/strict";

import { encode } from "../../host_tools/sealtrail/phone/static/cbor.js";
import { EDDSA_HEADER, sealEnvelope } from "../../host_tools/sealtrail/phone/static/cose.js";
import { join, sha256, uintAt, uintBytes } from "../../host_tools/sealtrail/phone/static/octets.js";
import { CODE, LIMIT, OP } from "../../host_tools/sealtrail/phone/static/protocol.js";
import { HostSync, SyncError } from "../../host_tools/sealtrail/phone/static/sync.js";

const FIRST = await sha256(new Uint8Array(3));
const records = [];
let last = FIRST;
for (let seq = 0; seq < 6; seq += 1) {
  const payload = encode(new Map([[0, 0], [1, seq], [2, last], [5, new Uint8Array(60 + seq)]]));
  records.push(sealEnvelope(EDDSA_HEADER, payload, new Uint8Array(64)));
  last = await sha256(records[seq]);
}
const hashes = await Promise.all(records.map(sha256));
const head = (seq, hash = hashes[seq]) => join(uintBytes(seq, 4), hash);

/** A host that asked from *next* and was told the head. */
function receiving(next = 0, headSeq = 5, options = {}) {
  const host = new HostSync(next, next ? hashes[next - 1] : FIRST, options);
  host.start(0);
  host.takeCommand();
  host.onReply(CODE.OK, head(headSeq), 0);
  return host;
}

function flipped(record, offset) {
  const changed = record.slice();
  changed[offset] ^= 4;
  return changed;
}

const fails = (reason, where) => (fault) => {
  assert.ok(fault instanceof SyncError, String(fault));
  assert.deepEqual([fault.reason, fault.where], [reason, where]);
  return true;
};

function asks(host, op, seq) {
  const command = host.takeCommand();
  assert.deepEqual([command?.op, command && uintAt(command.args, 0, 4)], [op, seq]);
}

const CHECKS = {
  async aRecordIsBelievedWhenTheNextNamesIt() {
    const host = receiving();
    await host.onBulk(0, records[0], 1);
    assert.deepEqual(host.takeRecords(), []);
    await host.onBulk(1, records[1], 1);
    assert.deepEqual(host.takeRecords(), [records[0]]);
  },
  async theLastIsBelievedWhenTheReplyNamedIt() {
    const host = receiving();
    for (const [number, record] of records.entries()) await host.onBulk(number, record, 1);
    assert.equal(host.state, "DONE");
    assert.equal(host.isDone, false); // not taken yet
    assert.deepEqual(host.takeRecords(), records);
    host.stored();
    asks(host, OP.ACK, 6);
    assert.equal(host.isDone, true);
  },
  async onlyWhatIsTakenCountsAsDurable() {
    const host = receiving(0, 5, { credit: 4 });
    for (const number of [0, 1, 2]) await host.onBulk(number, records[number], 1);
    host.stored(); // nothing was taken
    assert.equal(host.takeCommand(), null);
    host.takeRecords();
    await host.onBulk(3, records[3], 1);
    host.stored();
    asks(host, OP.ACK, 2);
  },
  async aMissingFrameIsAskedForAtOnce() {
    const host = receiving();
    await host.onBulk(0, records[0], 1);
    await host.onBulk(2, records[2], 2);
    assert.deepEqual([host.state, host.refetchCount], ["ASKING", 1]);
    asks(host, OP.SYNC, 0);
    await host.onBulk(3, records[3], 3); // the rest of the stream that was given up
    host.onReply(CODE.OK, head(5), 4);
    for (const [number, record] of records.entries()) await host.onBulk(4 + number, record, 5);
    assert.deepEqual(host.takeRecords(), records);
  },
  async aRepeatedFrameIsNothing() {
    const host = receiving();
    await host.onBulk(0, records[0], 1);
    await host.onBulk(0, records[0], 1);
    await host.onBulk(1, records[1], 1);
    assert.deepEqual([host.takeRecords(), host.refetchCount], [[records[0]], 0]);
  },
  async aChangedBitIsNeverStored() {
    for (const changed of [0, 3, 5]) {
      const host = receiving();
      for (const [number, record] of records.entries()) {
        await host.onBulk(number, number === changed ? flipped(record, record.length - 9) : record, 1);
      }
      assert.equal(host.state, "ASKING");
      assert.deepEqual(host.takeRecords(), records.slice(0, changed));
      asks(host, OP.SYNC, changed);
    }
  },
  async theFirstMustContinueWhatIsHeld() {
    const host = new HostSync(2, FIRST);
    host.start(0);
    host.onReply(CODE.OK, head(5), 0);
    await host.onBulk(0, records[2], 1);
    assert.equal(host.state, "ASKING");
  },
  async noRecordAtAllIsAskedForAgainButNotForEver() {
    const host = receiving(1);
    for (let count = 0; count < LIMIT.REFETCH_MAX; count += 1) {
      await host.onBulk(count, Uint8Array.of(0xff), 1);
      asks(host, OP.SYNC, 1);
      host.onReply(CODE.OK, head(5), 1);
    }
    await assert.rejects(host.onBulk(9, Uint8Array.of(0xff), 1), fails("gap", 1));
    assert.equal(host.state, "FAILED");
  },
  async progressAllowsNewTries() {
    const host = receiving();
    let number = 0;
    for (let seq = 0; seq < 5; seq += 1) {
      for (let count = 0; count < 2; count += 1) {
        await host.onBulk(number + 1, records[seq], 1); // one is missing
        number += 2;
        host.onReply(CODE.OK, head(5), 1);
      }
      await host.onBulk(number, records[seq], 1);
      await host.onBulk(number + 1, records[seq + 1], 1);
      number += 2;
    }
    assert.equal(host.refetchCount, 10);
    assert.deepEqual(host.takeRecords(), records);
  },
  async silenceRepeatsTheAckThenAsksAnewThenStalls() {
    const host = receiving();
    const said = [];
    let nowMs = 0;
    const wait = () => {
      for (; nowMs < 20_000; nowMs += 250) {
        host.tick(nowMs);
        const command = host.takeCommand();
        if (command) said.push([command.op, nowMs]);
      }
    };
    assert.throws(wait, fails("stalled", 0));
    assert.equal(nowMs, LIMIT.STALL_MS);
    const sync = [3000, 6000, 9000].map((ms) => [OP.SYNC, ms]);
    assert.deepEqual(said, [[OP.ACK, 1000], [OP.ACK, 2000], ...sync]);
  },
  async theTagsCodesBecomeReasons() {
    const cases = [
      [CODE.NO_SCOPE, uintBytes(9, 4), "scope", 9],
      [CODE.BAD_STATE, uintBytes(9, 4), "gone", 9],
      [CODE.BAD_STATE, uintBytes(1, 4), "refused", CODE.BAD_STATE],
      [CODE.BAD_STATE, new Uint8Array(0), "refused", CODE.BAD_STATE],
      [CODE.FULL, new Uint8Array(0), "refused", CODE.FULL],
      [CODE.OK, new Uint8Array(35), "form", 3],
      [CODE.OK, head(1), "behind", 1],
      [CODE.OK, head(2, FIRST), "fork", 2],
    ];
    for (const [code, content, reason, where] of cases) {
      const host = new HostSync(3, hashes[2]);
      host.start(0);
      assert.throws(() => host.onReply(code, content, 0), fails(reason, where));
      assert.equal(host.state, "FAILED");
    }
  },
  async nothingNewIsDoneAtOnce() {
    const host = receiving(6);
    assert.equal(host.isDone, true);
    host.onReply(CODE.FULL, new Uint8Array(0), 1); // late, and of no interest
  },
  async aReplySaidTwiceBeginsTheStreamAnew() {
    const host = receiving();
    for (const number of [0, 1, 2]) await host.onBulk(number, records[number], 1);
    host.onReply(CODE.OK, head(5), 2);
    for (const [at, record] of records.entries()) await host.onBulk(3 + at, record, 3);
    assert.deepEqual(host.takeRecords(), records);
  },
  async twoFramesAtOnceAreAMistakeOfTheCaller() {
    const host = receiving();
    const first = host.onBulk(0, join(records[0], records[1]), 1);
    await assert.rejects(host.onBulk(1, records[2], 1), /one after the other/);
    await first;
  },
};

for (const [name, check] of Object.entries(CHECKS)) {
  await check();
  process.stdout.write(`ok ${name}\n`);
}
process.stdout.write(`checks ${Object.keys(CHECKS).length}\n`);
