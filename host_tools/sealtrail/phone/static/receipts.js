// SPDX-License-Identifier: MIT
// @ts-check
/** Which of the archive's words this phone believes and carries: R18, and docs/archive.md 1.2. */

import { isInForce, signersOf } from "./certificate.js";
import { notUnderstood, octets, rows } from "./archive.js";
import { VerifyingKey } from "./cose.js";
import { EvidenceRefused } from "./errors.js";
import { isSame, toHex } from "./octets.js";
import { OP } from "./protocol.js";
import { Refusal } from "./refusal.js";
import { serviceKid } from "./statement_judge.js";
import { readStatement, TYPE } from "./statement.js";

const ROWS_MAX = 64;
const TYPE_OF = new Map([
  [OP.FLEET_NEXT, TYPE.FLEET],
  [OP.SERVICE_CERT, TYPE.SERVICE],
  [OP.RECEIPT, TYPE.RECEIPT],
]);
const USAGE = new Map([
  [TYPE.TIME, 1],
  [TYPE.RECEIPT, 2],
]);
const SIGNED_AT = new Map([
  [TYPE.TIME, 3],
  [TYPE.RECEIPT, 4],
]);

/** @typedef {import("./statement.js").RawStatement} RawStatement */
/** @typedef {{op: number, statement: Uint8Array}} Parcel */

/**
 * What is worth carrying of an answer to /carry, in its order, and the number of the last record
 * that a good receipt covers (-1: none). Throws EvidenceRefused for a receipt that holds and names
 * another record than the one kept here.
 * @param {any} carried
 * @param {{tid: Uint8Array, evidence: {prevHash(seq: number): Promise<Uint8Array | null>},
 *   fleet: import("./certificate.js").FleetKey[]}} known
 * @returns {Promise<{parcels: Parcel[], receiptSeq: number, services: RawStatement[]}>}
 */
export async function believed(carried, known) {
  /** @type {Parcel[]} */
  const parcels = [];
  /** @type {RawStatement[]} */
  const services = [];
  let receiptSeq = -1;
  for (const row of rows(carried.statements).slice(0, ROWS_MAX)) {
    const statement = readRow(row);
    if (statement === null) continue;
    if (statement.type === TYPE.SERVICE) services.push(statement);
    if (statement.type === TYPE.RECEIPT) {
      if (!(await isGood(statement, services, known))) continue;
      receiptSeq = statement.fields.get(2);
    }
    parcels.push({ op: row.op, statement: statement.raw });
  }
  return { parcels, receiptSeq, services };
}

/**
 * Whether *said*, a receipt or time token, is signed by a key that *service* certifies for it.
 * @param {RawStatement} service
 * @param {RawStatement} said
 * @param {import("./certificate.js").FleetKey[]} fleet
 * @returns {Promise<boolean>}
 */
export async function vouches(service, said, fleet) {
  const atS = Math.floor(said.fields.get(SIGNED_AT.get(said.type) ?? 0) / 1000);
  const { fields } = service;
  const isNamed = said.kid !== null && toHex(said.kid) === (await serviceKid(service));
  const isUsage = (fields.get(4) & (USAGE.get(said.type) ?? 0)) !== 0;
  if (!isNamed || !isUsage || atS < fields.get(2) || atS > fields.get(3)) return false;
  const signers = await signersOf(service.envelope, fleet);
  if (!signers.some((one) => isInForce(one, fields.get(2)))) return false;
  return new VerifyingKey(fields.get(1)).holds(said.envelope);
}

/** @param {any} row */
function readRow(row) {
  const type = TYPE_OF.get(row.op);
  if (type === undefined) return null; // of a newer archive: nothing this page knows to carry
  try {
    const statement = readStatement(octets(row.statement));
    if (statement.type !== type) throw notUnderstood();
    return statement;
  } catch (fault) {
    if (fault instanceof Refusal) throw notUnderstood();
    throw fault;
  }
}

/**
 * @param {RawStatement} receipt
 * @param {RawStatement[]} services
 * @param {{tid: Uint8Array, evidence: any, fleet: any[]}} known
 */
async function isGood(receipt, services, { tid, evidence, fleet }) {
  if (!isSame(receipt.fields.get(1), tid)) return false;
  const holds = await Promise.all(services.map((one) => vouches(one, receipt, fleet)));
  if (!holds.some(Boolean)) return false;
  const here = await evidence.prevHash(receipt.fields.get(2) + 1);
  if (here !== null && !isSame(here, receipt.fields.get(3))) {
    throw new EvidenceRefused(
      `The archive has another record ${receipt.fields.get(2)} than this phone: a fork.`,
      "Have the tag examined.",
    );
  }
  return true;
}
