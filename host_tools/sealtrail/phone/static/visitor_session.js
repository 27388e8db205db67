// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The visitor's half of a session: the handshake, and commands with answers, over an injected
 * link. A command without an answer is said again under a new number; the tag carries out a
 * repeated offer, accept or trip only once (docs/access-protocol.md).
 */

import { FormError, openChallenge, packHello, packProof, parseReady } from "./access.js";
import { AccessRefused, LinkError, refusalOf, VisitError } from "./errors.js";
import { bulkNumber, FrameError, Sealer } from "./frames.js";
import { join, uintAt } from "./octets.js";
import { CODE, codeName, LIMIT, MESSAGE, OP } from "./protocol.js";

const TRIES = 3;
const COMMANDS_MAX = 0xffff;
const NEARER = "Go nearer and try again.";

/**
 * One whole control message, or one bulk frame, in the order in which they arrived.
 * @typedef {{isBulk: boolean, content: Uint8Array}} Inbound
 */
/**
 * What a visitor needs of a radio; every method throws LinkError when the link fails, but
 * `disconnect`, which never throws. *receive* gives null when *timeoutMs* brought nothing.
 * @typedef {{connect(): Promise<void>, send(message: Uint8Array): Promise<void>,
 *   receive(timeoutMs: number): Promise<Inbound | null>, disconnect(): Promise<void>}} Link
 */
/**
 * What opens one tag for one person. *visitKeys*: newest floor first. *sign* gives 64 bytes by
 * the holder's key, which may be one that nobody can export; *holderKey*: its public half.
 * @typedef {{tid: Uint8Array, certificate: Uint8Array, ticket: Uint8Array,
 *   ticketKey: Uint8Array | CryptoKey, visitKeys: (Uint8Array | CryptoKey)[],
 *   holderKey: Uint8Array, sign(message: Uint8Array): Promise<Uint8Array>}} VisitorTicket
 */
/** @typedef {{code: number, content: Uint8Array}} Answer */

/** One holder's sessions with one tag. Throws AccessRefused, LinkError, DeviceError. */
export class VisitorSession {
  /**
   * @param {VisitorTicket} ticket
   * @param {Link} link
   * @param {{nowMs?: () => number, random?: (size: number) => Uint8Array}} [options]
   */
  constructor(ticket, link, { nowMs = () => performance.now(), random = randomOctets } = {}) {
    this.ticket = ticket;
    this.link = link;
    this.nowMs = nowMs;
    this.random = random;
    /** @type {import("./access.js").Ready | null} */
    this.ready = null;
    this.head = { seq: -1, hash: new Uint8Array(0) };
    this.trip = 0; // the open trip's number
    /** @type {Sealer | null} */
    this.fromTag = null;
    /** @type {Sealer | null} */
    this.toTag = null;
    this.number = 0;
    this.nextFrame = 0; // of the bulk stream
  }

  /** True from READY until the session ends or fails. */
  get isConnected() {
    return this.toTag !== null;
  }

  /**
   * Finds the tag, proves both ends to each other, and returns what the tag grants.
   * @returns {Promise<import("./access.js").Ready>}
   */
  async connect() {
    this.ready = null;
    this.#forgetSession();
    await this.link.connect();
    for (const visitKey of this.ticket.visitKeys) {
      const { answer, hello } = await this.#knock(visitKey);
      const isNotOurs = answer[0] === MESSAGE.REFUSE && answer[1] === CODE.DOOR;
      if (!isNotOurs) return this.#prove(hello, answer);
    }
    throw refusalOf(CODE.DOOR);
  }

  /** Says goodbye, if anybody is there, and drops the link. Never throws. */
  async close() {
    if (this.isConnected) {
      try {
        await this.say(OP.BYE, new Uint8Array(0));
        await this.#control([MESSAGE.REPLY]);
      } catch (fault) {
        // Gone before the goodbye: the tag will notice by itself.
        if (!(fault instanceof VisitError)) throw fault;
      }
    }
    this.#forgetSession();
    await this.link.disconnect();
  }

  /**
   * Runs one command; its content. Throws what the tag's code stands for.
   * @param {number} op
   * @param {Uint8Array} [args]
   * @returns {Promise<Uint8Array>}
   */
  async command(op, args) {
    const { code, content } = await this.ask(op, args);
    if (code !== CODE.OK) throw refusalOf(code);
    return content;
  }

  /**
   * Runs one command, whatever the code says.
   * @param {number} op
   * @param {Uint8Array} [args]
   * @returns {Promise<Answer>}
   */
  async ask(op, args = new Uint8Array(0)) {
    const numbers = new Set();
    for (let count = 0; count < TRIES; count += 1) {
      numbers.add(await this.say(op, args));
      const body = await this.#reply(numbers);
      if (body !== null && body[0] === op) return { code: body[1], content: body.slice(2) };
    }
    this.#forgetSession();
    throw new LinkError("The tag does not answer.", NEARER);
  }

  /**
   * Sends one command; its number.
   * @param {number} op
   * @param {Uint8Array} args
   * @returns {Promise<number>}
   */
  async say(op, args) {
    if (this.toTag === null || this.number >= COMMANDS_MAX) throw noSession();
    this.number += 1;
    const { number } = this;
    const body = join(Uint8Array.of(op), args);
    await this.link.send(await this.toTag.seal(MESSAGE.COMMAND, number, body));
    return number;
  }

  /**
   * Number and body of a reply; number -1 where it is not to be believed. A REFUSE ends the
   * session: anybody could have said it.
   * @param {Uint8Array} message
   * @returns {Promise<{number: number, body: Uint8Array}>}
   */
  async opened(message) {
    if (this.fromTag === null) throw noSession();
    if (message[0] === MESSAGE.REFUSE) {
      this.#forgetSession();
      const name = codeName(message[1] ?? 0);
      throw new LinkError(`The tag closed the session (${name}).`, "Try again.");
    }
    const { fromTag } = this;
    const found = await openOrNull(() => fromTag.open(MESSAGE.REPLY, message));
    return found && found.body.length >= 2 ? found : { number: -1, body: new Uint8Array(0) };
  }

  #forgetSession() {
    this.fromTag = this.toTag = null;
  }

  /** @param {Uint8Array | CryptoKey} visitKey */
  async #knock(visitKey) {
    for (let count = 0; count < TRIES; count += 1) {
      const nonce = this.random(LIMIT.NONCE_SIZE);
      const hello = await packHello(visitKey, nonce, this.ticket.ticket);
      await this.link.send(hello);
      const answer = await this.#control([MESSAGE.CHALLENGE, MESSAGE.REFUSE]);
      if (answer !== null && answer.length >= 2) return { answer, hello };
    }
    throw new LinkError("The tag does not answer.", NEARER);
  }

  /**
   * @param {Uint8Array} hello
   * @param {Uint8Array} challenge
   */
  async #prove(hello, challenge) {
    if (challenge[0] === MESSAGE.REFUSE) throw refusedIn(challenge);
    const keys = await openChallenge(this.ticket.ticketKey, hello, challenge).catch((fault) => {
      if (!(fault instanceof FormError)) throw fault;
      throw new AccessRefused(
        "This device cannot prove that it is the ticket's tag.",
        "It may be a copy. Do not hand over; have the ticket checked.",
      );
    });
    const fromTag = await Sealer.of(keys.macTag, keys.encTag);
    await this.link.send(packProof(keys));
    const answer = await this.#control([MESSAGE.REPLY, MESSAGE.REFUSE]);
    if (answer === null) throw new LinkError("The tag does not answer.", NEARER);
    if (answer[0] === MESSAGE.REFUSE) throw refusedIn(answer);
    const ready = await readyIn(fromTag, answer);
    if (ready.code !== CODE.OK) throw refusalOf(ready.code);
    this.fromTag = fromTag;
    this.toTag = await Sealer.of(keys.macVisitor, keys.encVisitor);
    this.number = this.nextFrame = 0;
    this.ready = ready;
    this.trip = ready.trip;
    this.head = { seq: ready.headSeq, hash: ready.headHash };
    return ready;
  }

  /**
   * The next control message of one of *types*; null after REPLY_TIMEOUT_MS.
   * @param {number[]} types
   * @returns {Promise<Uint8Array | null>}
   */
  async #control(types) {
    const deadlineMs = this.nowMs() + LIMIT.REPLY_TIMEOUT_MS;
    for (;;) {
      const leftMs = deadlineMs - this.nowMs();
      const inbound = leftMs > 0 ? await this.link.receive(leftMs) : null;
      if (inbound === null) return null;
      if (inbound.isBulk) this.#skipBulk(inbound.content);
      else if (types.includes(inbound.content[0])) return inbound.content;
    }
  }

  /**
   * The body of the reply to one of the commands *numbers*; null after REPLY_TIMEOUT_MS.
   * @param {Set<number>} numbers
   */
  async #reply(numbers) {
    for (let count = 0; count < COMMANDS_MAX; count += 1) {
      const message = await this.#control([MESSAGE.REPLY, MESSAGE.REFUSE]);
      if (message === null) return null;
      const { number, body } = await this.opened(message);
      if (numbers.has(number)) return body;
    }
    return null;
  }

  /**
   * The rest of a stream nobody reads any more; its number is still the last one.
   * @param {Uint8Array} frame
   */
  #skipBulk(frame) {
    this.nextFrame = (bulkNumber(frame) ?? this.nextFrame - 1) + 1;
  }
}

/**
 * What *open* gives; null where the frame is malformed or not from the tag, as if lost.
 * @template T
 * @param {() => Promise<T>} open
 * @returns {Promise<T | null>}
 */
export async function openOrNull(open) {
  try {
    return await open();
  } catch (fault) {
    if (fault instanceof FrameError) return null;
    throw fault;
  }
}

/**
 * @param {Sealer} sealer
 * @param {Uint8Array} answer
 */
async function readyIn(sealer, answer) {
  const found = await openOrNull(() => sealer.open(MESSAGE.REPLY, answer));
  try {
    if (found && found.number === 0) return parseReady(found.body);
  } catch (fault) {
    if (!(fault instanceof FormError)) throw fault;
  }
  throw new LinkError("The tag's answer is damaged.", "Try again.");
}

/** @param {Uint8Array} refuse */
function refusedIn(refuse) {
  return refusalOf(refuse[1] ?? 0, refuse.length >= 4 ? uintAt(refuse, 2, 2) : 0);
}

function noSession() {
  return new LinkError("There is no session with the tag.", "Connect again.");
}

/** @param {number} size */
function randomOctets(size) {
  return crypto.getRandomValues(new Uint8Array(size));
}
