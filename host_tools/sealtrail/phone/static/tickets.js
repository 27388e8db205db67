// SPDX-License-Identifier: MIT
// @ts-check
/** Tickets as the archive gives them out, kept with keys that nobody can export. */

import {
  advertId,
  advertName,
  FormError,
  holderOf,
  macKey,
  parseTicket,
  tidOf,
} from "./access.js";
import { notUnderstood, octets } from "./archive.js";
import { isSame, toHex } from "./octets.js";
import { LIMIT } from "./protocol.js";

const TICKETS_MAX = 256;
const VISIT_KEYS_MAX = 4;

/**
 * *tag*: hex of the tid. The keys are HMAC keys that cannot be exported.
 * @typedef {{name: string, serial: string, tag: string, tid: Uint8Array, certificate: Uint8Array,
 *   person: string, role: string, trip: number, expS: number, nbfS: number, ticket: Uint8Array,
 *   ticketKey: CryptoKey, visitKeys: CryptoKey[]}} KeptTicket
 */

/**
 * The tickets in an answer. Throws ArchiveLater where one is malformed or of another holder.
 * @param {any[]} rows
 * @param {Uint8Array} holderKey
 * @returns {Promise<KeptTicket[]>}
 */
export async function readTickets(rows, holderKey) {
  if (rows.length > TICKETS_MAX) throw notUnderstood();
  const holder = await holderOf(holderKey);
  return Promise.all(rows.map((row) => readTicket(row, holder)));
}

/**
 * @param {any} row
 * @param {Uint8Array} holder
 * @returns {Promise<KeptTicket>}
 */
async function readTicket(row, holder) {
  const { certificate, tid, ticket, key } = {
    certificate: octets(row.certificate),
    tid: octets(row.tid),
    ticket: octets(row.ticket),
    key: octets(row.ticket_key),
  };
  const visitKeys = Array.isArray(row.visit_keys) ? row.visit_keys.map(octets) : [];
  const terms = termsOf(ticket);
  const isOurs = isSame(terms.holder, holder) && isSame(await tidOf(certificate), tid);
  const sizes = [key, ...visitKeys].every((/** @type {Uint8Array} */ one) => one.length === 32);
  const isWhole = visitKeys.length > 0 && visitKeys.length <= VISIT_KEYS_MAX && sizes;
  if (!isOurs || !isWhole) throw notUnderstood();
  return {
    name: short(row.name),
    serial: short(row.serial),
    tag: toHex(tid),
    tid,
    certificate,
    person: short(row.person),
    role: short(row.role),
    trip: terms.trip,
    nbfS: terms.nbfS,
    expS: terms.expS,
    ticket,
    ticketKey: await macKey(key),
    visitKeys: await Promise.all(visitKeys.map(macKey)),
  };
}

/**
 * Whether the tag that calls itself *name* on the air is the ticket's. 256 short hashes a key.
 * @param {KeptTicket} ticket
 * @param {string} name
 * @returns {Promise<boolean>}
 */
export async function isNameOf(ticket, name) {
  for (const key of ticket.visitKeys) {
    const indexes = Array.from({ length: LIMIT.ADVERT_ID_COUNT }, (_, index) => index);
    const ids = await Promise.all(indexes.map((index) => advertId(key, index)));
    if (ids.some((id) => advertName(id) === name)) return true;
  }
  return false;
}

/** @param {Uint8Array} ticket */
function termsOf(ticket) {
  try {
    return parseTicket(ticket);
  } catch (fault) {
    if (fault instanceof FormError) throw notUnderstood();
    throw fault;
  }
}

/** @param {unknown} text */
function short(text) {
  if (typeof text !== "string" || text.length > 96) throw notUnderstood();
  return text;
}
