// SPDX-License-Identifier: MIT
/**
 * sync.js against a tag of its own process, through a pipe that drops, repeats and cuts.
 *
 * Time is a number that only this file turns. Prints one JSON value: what was run and found.
 *     node sync_pipe.mjs SEEDS COMMAND...
 */

import assert from "node:assert/strict";

import { MemoryStore } from "../../host_tools/sealtrail/phone/static/evidence_store.js";
import { Sealer } from "../../host_tools/sealtrail/phone/static/frames.js";
import * as octets from "../../host_tools/sealtrail/phone/static/octets.js";
import { LIMIT, MESSAGE, OP } from "../../host_tools/sealtrail/phone/static/protocol.js";
import { HostSync, SyncError } from "../../host_tools/sealtrail/phone/static/sync.js";
import { LineProcess } from "./line_process.mjs";

const { fromHex, join, sha256, toHex, uintAt, utf8 } = octets;
const CERTIFICATE = utf8("certificate of a tag that is not there");
const [STEPS_MAX, STEP_MS] = [20_000, 5];
const [MAC_KEY, VISITOR_KEY] = [new Uint8Array(32), new Uint8Array(16)];
const TAG_KEY = Uint8Array.from({ length: 16 }, (_, index) => index);

class LinkCut extends Error {}

/** What goes wrong on the way: each says what arrives of one frame. */
class Pipe {
  command(frame) {
    return [frame];
  }

  out(frame) {
    return [frame];
  }
}

/** Cuts the link at the *limit*-th frame from the tag. */
class CutPipe extends Pipe {
  constructor(limit) {
    super();
    this.limit = limit;
  }

  out(frame) {
    this.limit -= 1;
    if (this.limit < 0) throw new LinkCut();
    return [frame];
  }
}

/** Loses commands and frames, repeats some, changes a bit of others; cuts now and then. */
class LossyPipe extends Pipe {
  constructor(seed, { command, frame, flip, cut }) {
    super();
    this.state = seed * 7919 + 1;
    this.rates = { command, frame, flip, cut };
  }

  draw() {
    this.state = (Math.imul(this.state, 1103515245) + 12345) & 0x3fffffff;
    return (this.state >> 8) % 1000;
  }

  command(frame) {
    const drawn = this.draw();
    if (drawn < this.rates.command) return [];
    return drawn < 2 * this.rates.command ? [frame, frame] : [frame];
  }

  out(frame) {
    if (this.draw() < this.rates.cut) throw new LinkCut();
    const drawn = this.draw();
    if (drawn < this.rates.frame) return [];
    if (drawn < 2 * this.rates.frame) return [frame, frame];
    if (drawn >= 2 * this.rates.frame + this.rates.flip) return [frame];
    const flipped = frame.slice();
    flipped[flipped.length - 1] ^= 1 << (drawn & 7);
    return [flipped];
  }
}

const tag = new LineProcess(process.argv.slice(3));
let steps = 0;

/** Takes the reply to SYNC, if this frame is one. */
async function takeReply(host, opener, frame, syncNumber, nowMs) {
  const found = await opener.open(MESSAGE.REPLY, frame).catch(() => null); // a changed bit
  if (found && found.number === syncNumber) host.onReply(found.body[1], found.body.slice(2), nowMs);
}

/** One connection from SYNC to the end. Throws LinkCut or SyncError. */
async function runLink(store, pipe, chunkSize, credit = 8) {
  await tag.ask(`link ${chunkSize}`);
  const next = await store.firstMissing();
  const host = new HostSync(next, await store.prevHash(next), { credit });
  const toTag = await Sealer.of(MAC_KEY, VISITOR_KEY);
  const fromTag = await Sealer.of(MAC_KEY, TAG_KEY);
  let [nowMs, number, syncNumber] = [0, 0, 0];
  host.start(nowMs);
  for (let count = 0; count < STEPS_MAX; count += 1) {
    steps += 1;
    nowMs += STEP_MS;
    host.tick(nowMs);
    const command = host.takeCommand();
    let arrived = [];
    if (command) {
      const durableSeq = await store.firstMissing();
      assert.ok(uintAt(command.args, 0, 4) <= durableSeq, "claims a record that is not held");
      number += 1;
      if (command.op === OP.SYNC) syncNumber = number;
      const body = join(Uint8Array.of(command.op), command.args);
      arrived = pipe.command(await toTag.seal(MESSAGE.COMMAND, number, body));
    }
    const [replies, bulk] = (await tag.ask(`step ${arrived.map(toHex).join() || "-"}`)).split("|");
    for (const text of replies === "-" ? [] : replies.split(",")) {
      for (const frame of pipe.out(fromHex(text))) {
        await takeReply(host, fromTag, frame, syncNumber, nowMs);
      }
    }
    for (const frame of bulk === "-" ? [] : pipe.out(fromHex(bulk))) {
      const found = await fromTag.openBulk(frame);
      await host.onBulk(found.number, found.chunk, nowMs);
    }
    assert.ok(host.stream.length < LIMIT.RECORD_SIZE_MAX, "holds more than a part of a record");
    assert.ok(host.confirmed.length <= credit, "holds more than the window");
    await store.append(host.takeRecords());
    host.stored();
    if (host.isDone) return;
  }
  throw new Error("the sync did not end");
}

async function mustHoldAll(store, whole, count) {
  const held = Array.from({ length: count }, (_, seq) => store.records.get(seq));
  assert.equal(store.records.size, count);
  assert.equal(toHex(await sha256(join(...held))), whole);
  assert.equal(store.doubledCount, 0);
}

/** Cuts after 0, 1, 2 ... frames, resumes, and looks at what is held; how many cuts. */
async function cutAtEveryFrame(count, chunkSize) {
  const whole = await tag.ask(`chain ${count} 213`);
  for (let limit = 0; ; limit += 1) {
    const store = new MemoryStore(CERTIFICATE);
    let isCut = false;
    try {
      await runLink(store, new CutPipe(limit), chunkSize);
    } catch (fault) {
      if (!(fault instanceof LinkCut)) throw fault;
      isCut = true;
      await runLink(store, new Pipe(), chunkSize);
    }
    await mustHoldAll(store, whole, count);
    if (!isCut) return limit;
  }
}

/** Everything goes wrong at once; reconnects until all is held. */
async function lossyRuns(count, seeds, rates) {
  const whole = await tag.ask(`chain ${count} 0`);
  const found = { cuts: 0, reconnects: 0, runs: seeds };
  for (let seed = 0; seed < seeds; seed += 1) {
    const store = new MemoryStore(CERTIFICATE);
    for (let attempt = 0; ; attempt += 1) {
      assert.ok(attempt < 200, "the sync makes no progress");
      try {
        await runLink(store, new LossyPipe(seed * 1000 + attempt, rates), 240);
        break;
      } catch (fault) {
        if (fault instanceof LinkCut) found.cuts += 1;
        else if (fault instanceof SyncError) found.reconnects += 1;
        else throw fault;
        const reasons = rates.flip ? ["gap", "stalled", "chain", "form"] : ["gap", "stalled"];
        if (fault instanceof SyncError) assert.ok(reasons.includes(fault.reason), fault.message);
      }
    }
    await mustHoldAll(store, whole, count);
  }
  return found;
}

const seeds = Number(process.argv[2]);
const cuts = [await cutAtEveryFrame(6, 16), await cutAtEveryFrame(30, 240)];
const lossy = await lossyRuns(30, seeds, { command: 100, frame: 20, flip: 0, cut: 30 });
const flipped = await lossyRuns(20, seeds, { command: 50, frame: 10, flip: 15, cut: 15 });
await tag.ask("chain 0 213");
await runLink(new MemoryStore(CERTIFICATE), new Pipe(), 240); // nothing to be had
tag.end();
process.stdout.write(`${JSON.stringify({ cuts, lossy, flipped, steps })}\n`);
