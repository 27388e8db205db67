// SPDX-License-Identifier: MIT
// @ts-check
/** How the judges say no. Rules and reasons are those of docs/record-format.md, section 9.1. */

/** One rule that does not hold, before anybody knows which item was looked at. */
export class Refusal extends Error {
  /**
   * @param {string} rule
   * @param {string} reason
   * @param {string} [detail] words for a person
   */
  constructor(rule, reason, detail = "") {
    super(`${rule}: ${reason}`);
    this.rule = rule;
    this.reason = reason;
    this.detail = detail;
  }
}

/**
 * Evidence that is not verified. *verdict*: "refused", or "unreadable" where the file is not
 * all there. *index*: of the item, 0 is the certificate; *seq*: of the record, else null.
 */
export class NotVerified extends Refusal {
  /**
   * @param {"refused" | "unreadable"} verdict
   * @param {string} rule
   * @param {string} reason
   * @param {number} index
   * @param {number | null} seq
   * @param {string} [detail]
   */
  constructor(verdict, rule, reason, index, seq, detail = "") {
    super(rule, reason, detail);
    this.verdict = verdict;
    this.index = index;
    this.seq = seq;
  }
}

/** A statement of this verifier's own trust store does not hold: its own error, not the tag's. */
export class TrustStoreWrong extends Refusal {}
