// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Brings what is due to the archive and takes home what is to be carried. The archive says what it
 * holds; only what it lacks is sent. Nothing is dropped here: a receipt is for the tag.
 */

import { notUnderstood } from "./archive.js";
import { fetchTokens } from "./carry.js";
import { EvidenceRefused, LinkError, VisitError } from "./errors.js";
import { join, toHex } from "./octets.js";
import { believed } from "./receipts.js";

const UPLOAD_SIZE = 2 << 20; // a quarter of what the archive takes: a phone's memory and network
const STATEMENTS_MAX = 500;
const READ_COUNT = 512; // records read from the database at once

/**
 * What became of one tag's evidence. *problem* "": the archive holds all of it. *receiptSeq*: the
 * last record under a receipt whose signature holds, -1: none.
 * @typedef {{tag: string, newCount: number, headSeq: number, receiptSeq: number,
 *   problem: string, isRefused: boolean}} Delivered
 */

/**
 * Delivers one tag's evidence and refills its pouch. Throws VisitError; the tag stays due then.
 * @param {any} evidence KeptEvidence
 * @param {import("./carry.js").Pouch} pouch
 * @param {{archive: any, fleet: import("./certificate.js").FleetKey[], nowMs: number,
 *   tid: Uint8Array, onProgress?: (sentCount: number) => void}} world
 * @returns {Promise<Delivered>}
 */
export async function deliver(evidence, pouch, world) {
  const { archive, fleet, nowMs, tid, onProgress = () => {} } = world;
  let held = checked(await archive.put(evidence.certificate));
  let newCount = 0;
  let problem = "";
  for await (const body of bodies(evidence, held)) {
    held = checked(await archive.put(body));
    newCount += Number.isInteger(held.new) ? held.new : 0;
    onProgress(newCount);
    if (!held.refused) continue;
    const { seq, reason } = held.refused;
    problem = `The archive refuses record ${Number(seq)}: ${String(reason).slice(0, 80)}.`;
    break;
  }
  const carried = await archive.carry(evidence.tag);
  const found = carried && (await believed(carried, { tid, evidence, fleet }));
  if (found) await pouch.refill(found.parcels);
  await fetchTokens(pouch, archive, nowMs);
  const receiptSeq = found ? found.receiptSeq : -1;
  const isRefused = problem !== "";
  return { tag: evidence.tag, newCount, headSeq: held.head, receiptSeq, problem, isRefused };
}

/**
 * Delivers everything that is due; what failed stays due, named. After the first sign of no
 * network the rest is left for another time. Throws nothing of the archive's.
 * @param {any} database
 * @param {(tag: string) => Promise<Delivered>} deliverOne
 * @returns {Promise<Delivered[]>}
 */
export async function flush(database, deliverOne) {
  const done = [];
  for (const tag of await database.keys("outbox")) {
    const before = await database.get("outbox", tag);
    try {
      const delivered = await deliverOne(tag);
      await settle(database, tag, before, delivered);
      done.push(delivered);
    } catch (fault) {
      if (!(fault instanceof VisitError)) throw fault;
      const isRefused = fault instanceof EvidenceRefused;
      const problem = `${fault.message} ${fault.hint}`.trim();
      done.push({ tag, newCount: 0, headSeq: -1, receiptSeq: -1, problem, isRefused });
      await database.write([{ store: "outbox", key: tag, merge: { problem } }]);
      if (fault instanceof LinkError) break;
    }
  }
  return done;
}

/**
 * @param {any} database
 * @param {string} tag
 * @param {any} before
 * @param {Delivered} delivered
 */
async function settle(database, tag, before, delivered) {
  const { problem, headSeq, receiptSeq } = delivered;
  const rest = problem ? { ...before, problem } : undefined;
  // A cut before this: the tag is still due, and is sent once more.
  await database.write([
    { store: "tags", key: tag, merge: { uploadedSeq: headSeq, receiptSeq } },
    { store: "outbox", key: tag, value: rest, ifMark: before.mark },
  ]);
}

/**
 * Bodies with what the archive lacks; statements behind the last records.
 * @param {any} evidence
 * @param {any} held
 * @returns {AsyncGenerator<Uint8Array>}
 */
async function* bodies(evidence, held) {
  const { certificate } = evidence;
  let parts = [certificate];
  let size = certificate.length;
  for await (const record of lacking(evidence, held)) {
    if (size + record.length > UPLOAD_SIZE) {
      yield join(...parts);
      parts = [certificate];
      size = certificate.length;
    }
    parts.push(record);
    size += record.length;
  }
  parts.push(...(await evidence.statements()).slice(-STATEMENTS_MAX));
  if (parts.length > 1) yield join(...parts);
}

/**
 * The records that the archive has not, and the last one in any case: another one there is a fork.
 * @param {any} evidence
 * @param {any} held
 */
async function* lacking(evidence, held) {
  const ours = held.head >= 0 ? await evidence.prevHash(held.head + 1) : null;
  // Another record of that number: let the archive see all of ours, and name the fork.
  const isOther = ours !== null && toHex(ours) !== held.head_hash;
  const loose = isOther || !Array.isArray(held.loose) ? [] : held.loose;
  const isThere = (/** @type {number} */ seq) =>
    !isOther && loose.some(([first, last]) => first <= seq && seq <= last);
  const { headSeq } = evidence;
  const beginSeq = isOther ? 0 : Math.min(held.head + 1, headSeq);
  for (let seq = beginSeq; seq <= headSeq && seq >= 0; seq += READ_COUNT) {
    const lastSeq = Math.min(seq + READ_COUNT - 1, headSeq);
    for (const { number, record } of await evidence.numbered(seq, lastSeq)) {
      if (!isThere(number) || number === headSeq) yield record;
    }
  }
}

/** @param {any} held */
function checked(held) {
  if (!Number.isInteger(held.head) || typeof held.tid !== "string") throw notUnderstood();
  return held;
}
