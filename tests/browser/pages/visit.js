// SPDX-License-Identifier: MIT
/** The page's core over the browser's own Web Bluetooth, without the page: for tests to call. */

import { macKey } from "/access.js";
import { MemoryStore } from "/evidence_store.js";
import { fromHex, toHex } from "/octets.js";
import { GATT } from "/protocol.js";
import { Visitor } from "/visitor.js";
import { WebLink } from "/web_link.js";

let pair;
let device;
let visitor;
let store;
let link;
const seen = { lossCount: 0, progress: [], fault: "" };

/** The holder's public key; its other half never leaves the browser. */
async function enrol() {
  pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  return toHex(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
}

async function takeTicket(made) {
  const sign = async (message) =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, message));
  const ticket = {
    tid: fromHex(made.tid),
    certificate: fromHex(made.certificate),
    ticket: fromHex(made.ticket),
    ticketKey: await macKey(fromHex(made.ticketKey)),
    visitKeys: await Promise.all(made.visitKeys.map((key) => macKey(fromHex(key)))),
    holderKey: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)),
    sign,
  };
  store = new MemoryStore(ticket.certificate);
  link = new WebLink(device);
  visitor = new Visitor(ticket, link);
}

/** One sync; how it ended is text, "" when all went well. */
async function sync() {
  try {
    if (!visitor.isConnected) await visitor.connect();
    const done = await visitor.sync(store, (progress) => seen.progress.push(progress.nextSeq));
    return { fault: "", ...done };
  } catch (fault) {
    return { fault: `${fault.name}: ${fault.message}` };
  }
}

const held = () => ({
  records: [...store.records.values()].map(toHex),
  doubledCount: store.doubledCount,
});

document.getElementById("choose").addEventListener("click", async () => {
  try {
    const wanted = { filters: [{ services: [GATT.SERVICE_UUID] }] };
    device = await navigator.bluetooth.requestDevice(wanted);
    device.addEventListener("gattserverdisconnected", () => (seen.lossCount += 1));
    seen.name = device.name;
  } catch (fault) {
    seen.fault = `${fault.name}: ${fault.message}`;
  }
});

window.visit = {
  seen,
  enrol,
  takeTicket,
  sync,
  held,
  attest: async (nonce) => toHex((await visitor.attest(fromHex(nonce))).signed),
  offer: async (note) => toHex(await visitor.offer(note)),
  pending: async () => toHex((await visitor.pending()) ?? new Uint8Array(0)),
  status: () => visitor.status(),
  close: () => visitor.close(),
};
