// SPDX-License-Identifier: MIT
// @ts-check
/** What goes wrong on a visit, in words for its user: what happened, and what to do next. */

import { CODE, codeName } from "./protocol.js";

/** The base of all of them. *hint*: what to do next. */
export class VisitError extends Error {
  /**
   * @param {string} message
   * @param {string} [hint]
   * @param {number} [code] of the tag, where one was said
   */
  constructor(message, hint = "", code = 0) {
    super(message);
    this.name = new.target.name;
    this.hint = hint;
    this.code = code;
  }
}

/** The radio: connect again, it resumes. */
export class LinkError extends VisitError {}
/** The ticket does not open this, or not now. */
export class AccessRefused extends VisitError {}
/** The tag will not or cannot. */
export class DeviceError extends VisitError {}
/** What the tag says of itself is not to be believed. */
export class EvidenceRefused extends VisitError {}
/** What would prove it is no longer there: unproven, not forged. */
export class Incomplete extends VisitError {}
/** What a person typed cannot be used. */
export class InputError extends VisitError {}

/** @type {Map<number, [typeof VisitError, string, string]>} */
const MEANINGS = new Map([
  [
    CODE.DOOR,
    [AccessRefused, "This is not the ticket's tag, or tickets changed.", "Ask for a new ticket."],
  ],
  [CODE.LOCKED, [AccessRefused, "This ticket is locked after wrong proofs.", "Wait, try again."]],
  [CODE.BAD_PROOF, [AccessRefused, "The tag does not know this ticket.", "Ask for a new ticket."]],
  [CODE.REVOKED, [AccessRefused, "This ticket was revoked.", "Ask for a new ticket."]],
  [CODE.EXPIRED, [AccessRefused, "This ticket has expired.", "Ask for a new ticket."]],
  [
    CODE.WRONG_TRIP,
    [AccessRefused, "This ticket is for another trip.", "Ask for a ticket for this trip."],
  ],
  [CODE.NOT_YET, [AccessRefused, "This ticket is not valid yet.", "Wait, or ask for a new one."]],
  [CODE.NO_SCOPE, [AccessRefused, "This ticket does not allow that.", "Ask for another role."]],
  [
    CODE.CLOCK_UNSURE,
    [AccessRefused, "The tag does not know the time well enough.", "Have its clock set."],
  ],
  [CODE.BAD_VERSION, [AccessRefused, "The tag speaks another version.", "Load this page anew."]],
  [CODE.BAD_FORM, [DeviceError, "The tag found the request malformed.", "Load this page anew."]],
  [CODE.RATE, [DeviceError, "The tag has done enough of this for now.", "Try again later."]],
  [CODE.BAD_STATE, [DeviceError, "The tag cannot do that now.", "Is a trip open?"]],
  [CODE.BAD_SIG, [DeviceError, "The tag found the signature wrong.", "Sign again."]],
  [CODE.STALE_HEAD, [DeviceError, "The tag has moved on since that was signed.", "Sign again."]],
  [CODE.NOT_OURS, [DeviceError, "That was signed for another tag.", "Check the tag's serial."]],
  [CODE.AHEAD, [DeviceError, "The tag's log is shorter than was proved.", "Have it examined."]],
  [CODE.FORK, [DeviceError, "The tag's log differs from what was proved.", "Have it examined."]],
  [CODE.FULL, [DeviceError, "The tag's log is full.", "Sync it, and bring it a receipt."]],
  [CODE.STALE, [DeviceError, "The tag knows something newer already.", ""]],
  [CODE.CONTRADICTION, [DeviceError, "That contradicts the tag's clock.", "Check the clocks."]],
  [CODE.BUSY, [LinkError, "The tag is busy with another visitor.", "Try again in a minute."]],
  [CODE.BAD_MAC, [LinkError, "The tag closed the session: damaged message.", "Try again."]],
  [CODE.BAD_COUNTER, [LinkError, "The tag closed the session: repeated message.", "Try again."]],
]);

/**
 * The error that stands for a tag's failure code. *waitS*: seconds the tag wants to be left alone.
 * @param {number} code
 * @param {number} [waitS]
 * @returns {VisitError}
 */
export function refusalOf(code, waitS = 0) {
  const [Kind, message, hint] = MEANINGS.get(code) ?? [DeviceError, "The tag refused.", ""];
  const next = waitS ? `Wait ${waitS} s and try again.` : hint;
  return new Kind(`${message} (${codeName(code)})`, next, code);
}

/**
 * The error that stands for a SyncError.
 * @param {{reason: string, where: number}} problem
 * @returns {VisitError}
 */
export function syncFailure({ reason, where }) {
  const examine = "Have the tag examined.";
  if (reason === "refused") return refusalOf(where);
  if (reason === "gap" || reason === "stalled") {
    return new LinkError(`The sync stalled at record ${where}.`, "Go nearer, repeat: it resumes.");
  }
  if (reason === "behind") {
    return new EvidenceRefused(`The log ends at record ${where}, before what is held.`, examine);
  }
  if (reason === "fork") {
    return new EvidenceRefused(`Record ${where} is not the record held here: a fork.`, examine);
  }
  return new EvidenceRefused(`Record ${where} does not continue the chain (${reason}).`, examine);
}
