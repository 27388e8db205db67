// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Verifies a whole evidence file: the certificate, each item in order, then freshness.
 *
 * `verifyEvidence` gives the verified object or throws; there is no half-verified result. The
 * order of the rules is that of docs/record-format.md, section 9. Pure: no DOM, clock, network.
 */

import { CborRefused, itemEnd } from "./cbor.js";
import { judgeCertificate, mustBeCertificate } from "./certificate.js";
import { ChainJudge } from "./chain.js";
import { openEnvelope } from "./cose.js";
import { CustodyJudge } from "./custody.js";
import { isSame, sha256, toHex } from "./octets.js";
import { KIND, readPayload } from "./payload.js";
import { NotVerified, Refusal, TrustStoreWrong } from "./refusal.js";
import { readStatement, statementType, TYPE } from "./statement.js";
import { StatementJudge, withdrawnKids } from "./statement_judge.js";

const EVIDENCE_SIZE_MAX = 64 << 20;
const ITEM_SIZE_MAX = 1024;
const BATCH = 256; // signatures verified at once

/**
 * What the verifier brings along. *nonces*: hex of those it chose for this tag; *knownHead*: the
 * highest head it has seen of it; *statements*: of its trust store, in its order.
 * @typedef {{fleet: import("./certificate.js").FleetKey[], nonces: Set<string>,
 *   knownHead: {seq: number, sha256: Uint8Array} | null, statements: Uint8Array[]}} Trust
 */
/** @typedef {{completeness: string, detail: string, unsealedEntries: number}} Freshness */
/**
 * All of one tag's evidence, every rule held. Records of kind 6 and what they hold are
 * unproven: *proven* says so. *records*: payloads with hash and size.
 * @typedef {{certificate: import("./certificate.js").TagCertificate,
 *   records: (import("./payload.js").Payload &
 *     {sha256: Uint8Array, size: number, proven: boolean})[],
 *   statements: {statement: import("./statement.js").RawStatement, signer: string}[],
 *   custody: import("./custody.js").CustodyStep[], freshness: Freshness,
 *   sha256: Uint8Array, size: number}} VerifiedEvidence
 */
/**
 * @typedef {{certificate: import("./certificate.js").TagCertificate, chain: ChainJudge,
 *   payloads: import("./payload.js").Payload[], sizes: number[],
 *   statements: {statement: import("./statement.js").RawStatement, signer: string,
 *     index: number}[]}} Judged
 */

/**
 * The verified content of *raw*. Throws NotVerified at the first rule that does not hold, or
 * TrustStoreWrong where a revocation of the trust store does not.
 * @param {Uint8Array} raw
 * @param {Trust} trust only *fleet* is used where the tag is not known yet
 * @returns {Promise<VerifiedEvidence>}
 */
export async function verifyEvidence(raw, trust) {
  const judged = await judge(raw, trust.fleet);
  const stored = await judgeStored(trust, judged);
  const freshness = judgeFreshness(judged, trust, stored);
  const { certificate, chain, payloads, sizes, statements } = judged;
  return {
    certificate,
    records: payloads.map((payload, seq) => ({
      ...payload,
      sha256: chain.hashes[seq],
      size: sizes[seq],
      proven: payload.kind !== KIND.UNSIGNED,
    })),
    statements: statements.map(({ statement, signer }) => ({ statement, signer })),
    custody: await custodyOf(judged, stored),
    freshness,
    sha256: await sha256(raw),
    size: raw.length,
  };
}

/**
 * Rules R1 to R20, for all items.
 * @param {Uint8Array} raw
 * @param {import("./certificate.js").FleetKey[]} fleet
 * @returns {Promise<Judged>}
 */
async function judge(raw, fleet) {
  if (!raw.length) throw new NotVerified("unreadable", "R1", "evidence empty", 0, null);
  if (raw.length > EVIDENCE_SIZE_MAX) {
    throw new NotVerified("refused", "R1", "evidence too long", 0, null, `${raw.length} bytes`);
  }
  const end = endOfItem(raw, 0, 0);
  const item = raw.slice(0, end);
  const certificate = await named(0, null, async () => {
    mustBeCertificate(item);
    return judgeCertificate(item, fleet);
  });
  const chain = new ChainJudge(await sha256(item), certificate.publicKey);
  /** @type {Judged} */
  const judged = { certificate, chain, payloads: [], sizes: [], statements: [] };
  try {
    await judgeItems(raw, end, judged, new StatementJudge(certificate.tid, chain, fleet));
  } finally {
    // What is wrong first may be a signature: then this is what is thrown.
    await settle(chain);
  }
  for (const { statement, index } of judged.statements) {
    judgeRevocation(statement, chain.count, `item ${index}`);
  }
  return judged;
}

/**
 * All items behind the certificate, which ends at *begin*; some signatures stay due.
 * @param {Uint8Array} raw
 * @param {number} begin
 * @param {Judged} judged
 * @param {StatementJudge} statements
 */
async function judgeItems(raw, begin, judged, statements) {
  let end = begin;
  for (let index = 1; end < raw.length; index += 1) {
    const start = end;
    end = endOfItem(raw, start, index);
    await judgeItem(raw.slice(start, end), index, judged, statements);
    if (judged.chain.due.length >= BATCH) await settle(judged.chain);
  }
}

/**
 * @param {Uint8Array} item
 * @param {number} index
 * @param {Judged} judged
 * @param {StatementJudge} statements
 */
async function judgeItem(item, index, judged, statements) {
  if (statementType(item) !== null) {
    const taken = await named(index, null, () => statements.take(item));
    judged.statements.push({ ...taken, index });
    return;
  }
  await named(index, judged.chain.count, async () => {
    if (judged.statements.length) throw new Refusal("R1", "record after a statement");
    const envelope = openEnvelope(item);
    const payload = readPayload(envelope);
    await judged.chain.take(item, envelope, payload);
    judged.payloads.push(payload);
    judged.sizes.push(item.length);
  });
}

/**
 * Runs *work*; its Refusal is thrown as NotVerified of this item.
 * @template T
 * @param {number} index
 * @param {number | null} seq
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function named(index, seq, work) {
  try {
    return await work();
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault;
    throw new NotVerified("refused", fault.rule, fault.reason, index, seq, fault.detail);
  }
}

/**
 * R10 for the records since the last time.
 * @param {ChainJudge} chain
 */
async function settle(chain) {
  const seq = await chain.settle();
  if (seq !== null) {
    const detail = "changed after signing, or by another key";
    throw new NotVerified("refused", "R10", "record signature wrong", seq + 1, seq, detail);
  }
}

/**
 * R1: where the item at *offset* ends.
 * @param {Uint8Array} raw
 * @param {number} offset
 * @param {number} index
 */
function endOfItem(raw, offset, index) {
  const view = raw.subarray(offset, offset + ITEM_SIZE_MAX);
  try {
    return offset + itemEnd(view);
  } catch (fault) {
    if (!(fault instanceof CborRefused)) throw fault;
    if (fault.reason !== "truncated") {
      throw new NotVerified("refused", "R1", fault.reason, index, null);
    }
    if (view.length === ITEM_SIZE_MAX) {
      throw new NotVerified("refused", "R1", "item too long", index, null);
    }
    throw new NotVerified("unreadable", "R1", "evidence cut", index, null);
  }
}

/**
 * What the trust store holds beside the file: revocations (R20), and who is who. A revocation
 * that does not hold stops the work; a person or service key of another fleet names nobody.
 * @param {Trust} trust
 * @param {Judged} judged
 */
async function judgeStored(trust, { certificate, chain }) {
  const stored = new StatementJudge(certificate.tid, chain, trust.fleet);
  const held = [];
  for (const item of trust.statements) {
    try {
      const { statement } = await stored.take(item);
      judgeRevocation(statement, chain.count, "the trust store");
      held.push(statement);
    } catch (fault) {
      if (!(fault instanceof Refusal) || fault instanceof NotVerified) throw fault;
      const type = statementType(item);
      if (type !== TYPE.SERVICE && type !== TYPE.PERSON) throw storedRefused(fault, item);
    }
  }
  return held;
}

/**
 * @param {Refusal} fault
 * @param {Uint8Array} item
 */
function storedRefused({ rule, reason, detail }, item) {
  if (rule !== "R19") return new TrustStoreWrong(rule, reason, detail);
  const seq = readStatement(item).fields.get(2);
  return new NotVerified("refused", rule, reason, seq + 1, seq, "revocation of the trust store");
}

/**
 * R20: nothing beyond the last trusted record, whatever time it claims.
 * @param {import("./statement.js").RawStatement} statement
 * @param {number} count
 * @param {string} source
 */
function judgeRevocation(statement, count, source) {
  const last = statement.fields.get(2);
  if (statement.type !== TYPE.REVOCATION || last >= count - 1) return;
  const [seq, detail] = [last + 1, `${source} revokes all after record ${last}`];
  throw new NotVerified("refused", "R20", "record beyond the revocation", seq + 1, seq, detail);
}

/**
 * R21. Throws NotVerified where a known head was replaced.
 * @param {Judged} judged
 * @param {Trust} trust
 * @param {import("./statement.js").RawStatement[]} stored
 * @returns {Freshness}
 */
function judgeFreshness({ chain, statements }, { nonces, knownHead }, stored) {
  const last = chain.count - 1;
  if (knownHead && knownHead.seq > last) {
    return verdict("stale", `record ${knownHead.seq} was seen before`);
  }
  if (knownHead && !isSame(chain.hashes[knownHead.seq], knownHead.sha256)) {
    const { seq } = knownHead;
    throw new NotVerified("refused", "R21", "fork of a known head", seq + 1, seq);
  }
  // Else a thief with the key would fork off before the last trusted record, and attest that.
  const trusted = [...statements.map(({ statement }) => statement), ...stored]
    .filter((one) => one.type === TYPE.REVOCATION)
    .map((one) => one.fields.get(2));
  const lastTrusted = trusted.length ? Math.min(...trusted) : -1;
  if (lastTrusted > last) return verdict("stale", `ends before record ${lastTrusted}`);
  const attested = statements
    .map((one) => one.statement)
    .filter((one) => one.type === TYPE.ATTEST && one.fields.get(2) === last);
  const own = attested.find((one) => nonces.has(toHex(one.fields.get(4))));
  if (own) return verdict("proved", `record ${last} attested to this verifier`, own.fields.get(7));
  if (attested.length) {
    const unsealed = attested[0].fields.get(7);
    return verdict("foreign nonce", `record ${last} attested, not to this verifier`, unsealed);
  }
  return verdict("unproved", last < 0 ? "holds no record" : `nothing attests record ${last}`);
}

/**
 * @param {string} completeness
 * @param {string} detail
 * @param {number} [unsealedEntries]
 */
function verdict(completeness, detail, unsealedEntries = 0) {
  return { completeness, detail, unsealedEntries };
}

/**
 * @param {Judged} judged
 * @param {import("./statement.js").RawStatement[]} stored
 */
async function custodyOf({ certificate, chain, payloads, statements }, stored) {
  const known = [...statements.map((one) => one.statement), ...stored];
  const withdrawn = await withdrawnKids(known.filter((one) => one.type === TYPE.SERVICE));
  const persons = known.filter((one) => one.type === TYPE.PERSON);
  const events = payloads
    .filter((payload) => payload.kind !== KIND.UNSIGNED)
    .flatMap(({ seq, events: found }) => found.map((event) => ({ ...event, seq })));
  return new CustodyJudge(certificate.tid, chain.hashes, persons, withdrawn).judge(events);
}
