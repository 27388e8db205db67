// SPDX-License-Identifier: MIT
// @ts-check
/** R17 to R19: statements of one file, in their order: signers, and that they mean this tag. */

import { isInForce, signersOf } from "./certificate.js";
import { algorithmOf, VerifyingKey } from "./cose.js";
import { isSame, sha256, toHex } from "./octets.js";
import { Refusal } from "./refusal.js";
import { readStatement, TYPE } from "./statement.js";

const { TIME, RECEIPT, ORDER, SERVICE, FLEET, ATTEST, REVOCATION, PERSON } = TYPE;
const ALLOWED = [TIME, RECEIPT, SERVICE, FLEET, ATTEST, REVOCATION, PERSON];
const USAGE = new Map([
  [TIME, 1],
  [RECEIPT, 2],
  [ORDER, 4],
  [PERSON, 8],
]);
const NAMES = new Map([
  [RECEIPT, "receipt"],
  [ATTEST, "attestation"],
  [REVOCATION, "revocation"],
]);

/** @typedef {import("./statement.js").RawStatement} RawStatement */

/** Judges statement after statement; remembers the service keys that they certify. */
export class StatementJudge {
  /**
   * @param {Uint8Array} tid 8 bytes
   * @param {import("./chain.js").ChainJudge} chain
   * @param {import("./certificate.js").FleetKey[]} fleet
   */
  constructor(tid, chain, fleet) {
    this.tid = tid;
    this.chain = chain;
    this.fleet = fleet;
    /** @type {Map<string, RawStatement[]>} by kid: one key may be certified again */
    this.services = new Map();
  }

  /**
   * The statement and the name of its signer. Throws Refusal.
   * @param {Uint8Array} item
   * @returns {Promise<{statement: RawStatement, signer: string}>}
   */
  async take(item) {
    const statement = readStatement(item);
    if (!ALLOWED.includes(statement.type)) {
      throw new Refusal("R17", "statement type not allowed here", String(statement.type));
    }
    const signer = await this.#judgeSigner(statement);
    if ([TIME, RECEIPT, ATTEST, REVOCATION].includes(statement.type)) {
      this.#judgeSubject(statement);
    }
    if (statement.type === SERVICE) {
      const kid = await serviceKid(statement);
      this.services.set(kid, [...(this.services.get(kid) ?? []), statement]);
    }
    return { statement, signer };
  }

  /** @param {RawStatement} statement */
  async #judgeSigner(statement) {
    if (statement.type === ATTEST) return this.#judgeAttestation(statement);
    if (statement.type === FLEET) {
      await mustHold(new VerifyingKey(statement.fields.get(1)), statement);
      return "the new fleet key";
    }
    const isByFleet = statement.type === SERVICE || statement.type === REVOCATION;
    return isByFleet ? judgeFleet(statement, this.fleet) : this.#judgeService(statement);
  }

  /** @param {RawStatement} statement */
  async #judgeAttestation(statement) {
    const seq = statement.fields.get(2);
    if (seq < this.chain.count) {
      const key = this.chain.keyBehind(seq);
      if (!key.allows(algorithmOf(statement.envelope.protectedHeader))) {
        throw new Refusal("R18", "statement signature wrong", "algorithm");
      }
      await mustHold(key, statement);
    }
    return "the tag";
  }

  /** @param {RawStatement} statement */
  async #judgeService(statement) {
    const { type, kid } = statement;
    const usage = USAGE.get(type) ?? 0;
    const found = this.services.get(kid === null ? "" : toHex(kid)) ?? [];
    // Usage bits may go beyond 32: no bitwise operator.
    const entitled = found.filter((one) => Math.floor(one.fields.get(4) / usage) % 2 === 1);
    const atS = signedAtS(statement);
    const inForce = entitled.find((one) => one.fields.get(2) <= atS && atS <= one.fields.get(3));
    if (!found.length) throw new Refusal("R18", "service key unknown", `type ${type}`);
    if (!entitled.length) throw new Refusal("R18", "service key not entitled", `type ${type}`);
    if (!inForce) throw new Refusal("R18", "service certificate not in force", String(atS));
    await mustHold(new VerifyingKey(inForce.fields.get(1)), statement);
    return `service key ${inForce.fields.get(5)}`;
  }

  /** @param {RawStatement} statement */
  #judgeSubject(statement) {
    const { type, fields } = statement;
    if (!isSame(fields.get(1), this.tid)) {
      throw new Refusal("R19", "statement for another tag", toHex(fields.get(1)));
    }
    const what = NAMES.get(type);
    const seq = fields.get(2);
    if (!what || seq >= this.chain.count || isSame(fields.get(3), this.chain.hashes[seq])) return;
    throw new Refusal("R19", `${what} contradicts the records`, `record ${seq}`);
  }
}

/**
 * @param {VerifyingKey} key
 * @param {RawStatement} statement
 */
async function mustHold(key, statement) {
  if (!(await key.holds(statement.envelope))) {
    throw new Refusal("R18", "statement signature wrong", `type ${statement.type}`);
  }
}

/**
 * R18 for what the fleet key signs, 19 and 24; the key's name.
 * @param {RawStatement} statement
 * @param {import("./certificate.js").FleetKey[]} fleet
 */
async function judgeFleet(statement, fleet) {
  const signers = await signersOf(statement.envelope, fleet);
  if (!signers.length) throw new Refusal("R18", "statement signature wrong", "no fleet key's");
  const { type, fields } = statement;
  const atS = type === SERVICE ? fields.get(2) : Math.floor(fields.get(4) / 1000);
  const inForce = signers.find((one) => isInForce(one, atS));
  if (!inForce) throw new Refusal("R18", "fleet key not in force", signers[0].name);
  return inForce.name;
}

/**
 * The second at which a service statement says its signer's certificate must hold.
 * @param {RawStatement} statement
 */
function signedAtS(statement) {
  const { type, fields } = statement;
  return type === PERSON ? fields.get(4) : Math.floor(fields.get(type === TIME ? 3 : 4) / 1000);
}

/**
 * The key id, hex of 8 bytes, of the service key that a statement 19 certifies.
 * @param {RawStatement} statement
 * @returns {Promise<string>}
 */
export async function serviceKid(statement) {
  return toHex((await sha256(statement.fields.get(1))).slice(0, 8));
}

/**
 * Key ids (hex) of the service keys below the highest floor in statements 19 (section 10).
 * @param {RawStatement[]} services
 * @returns {Promise<Set<string>>}
 */
export async function withdrawnKids(services) {
  const floor = Math.max(0, ...services.map((one) => one.fields.get(6)));
  /** @type {Map<string, number>} */
  const newest = new Map();
  for (const one of services) {
    const kid = await serviceKid(one);
    newest.set(kid, Math.max(newest.get(kid) ?? 0, one.fields.get(5)));
  }
  return new Set([...newest].filter(([, number]) => number < floor).map(([kid]) => kid));
}
