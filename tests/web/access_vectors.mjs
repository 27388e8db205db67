// SPDX-License-Identifier: MIT
/** The known answers of tests/vectors/access, in node: prints a line a check, "checks N". */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join as path } from "node:path";

import * as access from "../../host_tools/sealtrail/phone/static/access.js";
import { bulkNumber, FrameError, Sealer } from "../../host_tools/sealtrail/phone/static/frames.js";
import { fromHex, toHex, utf8 } from "../../host_tools/sealtrail/phone/static/octets.js";
import { MESSAGE, OP, ROLE } from "../../host_tools/sealtrail/phone/static/protocol.js";
import { linkOf } from "../../host_tools/sealtrail/phone/static/record_link.js";
import { packSync } from "../../host_tools/sealtrail/phone/static/sync.js";

const read = (name) => JSON.parse(readFileSync(path(process.argv[2], name), "utf8"));
const known = read("known_answers.json");
const example = read("session_example.json");
const hand = known.handshake;

const CHECKS = {
  labels() {
    const names = "ticket,delegate,visit,mask,door,advert,session,tag proof,visitor proof"
      .concat(",mac visitor,mac tag,enc visitor,enc tag,nonce,coi")
      .split(",");
    names.forEach((name, at) => assert.equal(toHex(access.label(name)), known.labels[at]));
  },
  async ticketKey() {
    const key = await access.ticketKey(fromHex(known.ticket.ak), fromHex(known.ticket.bytes));
    assert.equal(toHex(key), known.ticket.key);
  },
  ticketThatMayDelegateIsRefused() {
    assert.throws(() => access.parseTicket(fromHex(known.ticket.bytes)), access.FormError);
  },
  ticketWithRevocations() {
    const content = fromHex(known.ticket_with_revocations.bytes);
    const ticket = access.parseTicket(content);
    assert.deepEqual([ticket.role, ticket.trip, ticket.rev], [ROLE.QA, 0x1267, 3]);
    assert.deepEqual([ticket.floor, ticket.revoked], [5, [6, 8]]);
    for (let size = 0; size < content.length; size += 1) {
      assert.throws(() => access.parseTicket(content.slice(0, size)), access.FormError);
    }
  },
  async visitKeyAndAdverts() {
    const key = await access.visitKey(fromHex(known.ticket.ak), known.visit.floor);
    assert.equal(toHex(key), known.visit.key);
    for (const advert of known.visit.adverts) {
      const identifier = await access.advertId(key, advert.i);
      assert.equal(toHex(identifier), advert.id);
      assert.equal(access.advertName(identifier), advert.name);
    }
  },
  async hello() {
    const ticket = fromHex(known.ticket.bytes);
    const hello = await access.packHello(fromHex(known.visit.key), fromHex(hand.nv), ticket);
    assert.equal(toHex(hello), hand.hello);
  },
  async handshakeKeys() {
    const key = await access.macKey(fromHex(known.ticket.key)); // one that nobody can export
    assert.equal(key.extractable, false);
    const keys = await access.openChallenge(key, fromHex(hand.hello), fromHex(hand.challenge));
    assert.equal(toHex(keys.transcriptHash), hand.th);
    assert.equal(toHex(keys.root), hand.hk);
    assert.equal(toHex(keys.tagProof), hand.tproof);
    assert.equal(toHex(keys.visitorProof), hand.vproof);
    assert.deepEqual([keys.macVisitor, keys.macTag].map(toHex), [hand.mv, hand.mt]);
    assert.deepEqual([keys.encVisitor, keys.encTag].map(toHex), [hand.ev, hand.et]);
    assert.equal(toHex(access.packProof(keys)), hand.proof);
  },
  async aFalseTagIsRefused() {
    const challenge = fromHex(hand.challenge);
    challenge[33] ^= 1;
    const opened = access.openChallenge(fromHex(known.ticket.key), fromHex(hand.hello), challenge);
    await assert.rejects(opened, access.FormError);
  },
  async ready() {
    const sealer = await Sealer.of(fromHex(hand.mt), fromHex(hand.et));
    const { number, body } = await sealer.open(MESSAGE.REPLY, fromHex(hand.ready));
    const ready = access.parseReady(body);
    assert.deepEqual([number, ready.code, ready.headHash.length], [0, 0, 32]);
    body[2] = 16;
    assert.ok(access.parseReady(body).isKeyLost);
    body[2] = 32; // a flag of a later version
    assert.throws(() => access.parseReady(body), access.FormError);
  },
  async commandAndReply() {
    const ways = [
      ["command", MESSAGE.COMMAND, hand.mv, hand.ev],
      ["reply", MESSAGE.REPLY, hand.mt, hand.et],
    ];
    for (const [name, type, mac, encryption] of ways) {
      const { n, frame, body } = known[name];
      const sealer = await Sealer.of(fromHex(mac), fromHex(encryption));
      assert.equal(toHex(await sealer.seal(type, n, fromHex(body))), frame);
      const opened = await sealer.open(type, fromHex(frame));
      assert.deepEqual([opened.number, toHex(opened.body)], [n, body]);
      await assert.rejects(sealer.seal(type, n, fromHex(body)), FrameError, "used twice");
      for (let bit = 0; bit < 8 * (frame.length / 2); bit += 1) {
        const flipped = fromHex(frame);
        flipped[bit >> 3] ^= 1 << (bit & 7);
        await assert.rejects(sealer.open(type, flipped), FrameError);
      }
      for (let size = 0; size < frame.length / 2; size += 1) {
        await assert.rejects(sealer.open(type, fromHex(frame).slice(0, size)), FrameError);
      }
    }
  },
  async bulk() {
    const sealer = await Sealer.of(fromHex(hand.mt), fromHex(hand.et));
    const { number, chunk } = await sealer.openBulk(fromHex(known.bulk.frame));
    assert.deepEqual([number, toHex(chunk)], [known.bulk.fc, known.bulk.plain]);
    assert.equal(bulkNumber(fromHex("12000000")), null);
  },
  async coiCommitment() {
    const commitment = await access.coiCommitment(fromHex(known.coi.salt), utf8(known.coi.coi));
    assert.equal(toHex(commitment), known.coi.commitment);
  },
  async recordLinks() {
    let previous = toHex(await access.tidOf(fromHex(known.tag_certificate)));
    for (const [at, text] of known.records.entries()) {
      const record = fromHex(text);
      const { seq, prevHash } = linkOf(record);
      assert.deepEqual([seq, toHex(prevHash).slice(0, 16)], [at, previous]);
      previous = toHex(await access.tidOf(record)); // first 8 bytes of the hash
      for (let size = 0; size < 48; size += 1) assert.equal(linkOf(record.slice(0, size)), null);
    }
  },
  async theSessionOfTheDocument() {
    const ticket = fromHex(example.ticket);
    const [key, visit] = [fromHex(example.ticket_key), fromHex(example.visit_key)];
    const hello = fromHex(example.hello);
    const packed = await access.packHello(visit, hello.slice(2, 18), ticket);
    assert.equal(toHex(packed), example.hello);
    const keys = await access.openChallenge(key, hello, fromHex(example.challenge));
    assert.equal(toHex(access.packProof(keys)), example.proof);
    const toTag = await Sealer.of(keys.macVisitor, keys.encVisitor);
    const fromTag = await Sealer.of(keys.macTag, keys.encTag);
    const { body } = await fromTag.open(MESSAGE.REPLY, fromHex(example.ready));
    const ready = access.parseReady(body);
    assert.deepEqual([ready.isSure, ready.scope, ready.trip, ready.headSeq], [true, 255, 0, 41]);
    const attest = await new Sealer(toTag.mac, toTag.cipher).open(
      MESSAGE.COMMAND,
      fromHex(example.attest),
    );
    assert.deepEqual([attest.number, attest.body[0]], [1, OP.ATTEST]);
    const sealed = async (op, number, args) =>
      toHex(await toTag.seal(MESSAGE.COMMAND, number, Uint8Array.of(op, ...args)));
    assert.equal(await sealed(OP.SYNC, 2, packSync(40, 64)), example.sync);
    assert.equal(await sealed(OP.ACK, 3, packSync(42, 64)), example.ack);
    const reply = await fromTag.open(MESSAGE.REPLY, fromHex(example.sync_reply));
    assert.equal(access.seqOf(reply.body, 2), 41);
    const bulk = await fromTag.openBulk(fromHex(example.bulk));
    assert.deepEqual([bulk.number, toHex(bulk.chunk)], [0, toHex(utf8("record bytes"))]);
  },
};

for (const [name, check] of Object.entries(CHECKS)) {
  await check();
  process.stdout.write(`ok ${name}\n`);
}
process.stdout.write(`checks ${Object.keys(CHECKS).length}\n`);
