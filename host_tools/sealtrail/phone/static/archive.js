// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The archive over HTTP (docs/archive.md, section 1). No state, no retry. The token goes into the
 * header of each request and nowhere else.
 */

import { AccessRefused, EvidenceRefused, LinkError } from "./errors.js";
import { fromHex, toHex } from "./octets.js";

const TIMEOUT_MS = 20_000;
const KEPT = "What came from the tag is kept on this phone; it is sent later.";

/** What the archive says is not what docs/archive.md says it says, or there is no network. */
export class ArchiveLater extends LinkError {}

/** One archive, asked as one client. */
export class Archive {
  /**
   * @param {{token: string, path: string}} client
   * @param {(input: string, init: any) => Promise<any>} ask as `fetch`
   */
  constructor(client, ask) {
    this.client = client;
    this.ask = ask;
  }

  /** Who the archive takes this phone for. */
  me() {
    return this.#json("GET", "/me");
  }

  /**
   * Binds this client to its key.
   * @param {Uint8Array} publicKey
   * @param {Uint8Array} proof
   */
  setKey(publicKey, proof) {
    return this.#json("POST", "/me/key", { public_key: toHex(publicKey), proof: toHex(proof) });
  }

  /** @returns {Promise<any[]>} the live tickets of this phone */
  async tickets() {
    return rows((await this.#json("GET", "/tickets")).tickets);
  }

  /**
   * Uploads evidence: *held* of docs/archive.md 1.1. What it says is durable there.
   * @param {Uint8Array} body
   */
  async put(body) {
    const { status, content } = await this.#answer("POST", "/evidence", {
      "Content-Type": "application/cbor-seq",
    }, body);
    if (status === 200 || (status === 422 && content.refused)) return content;
    throw problemOf(status, content);
  }

  /**
   * What to carry to a tag; null where the archive knows nothing of it.
   * @param {string} tag hex of the tid
   */
  async carry(tag) {
    const { status, content } = await this.#answer("GET", `/tags/${tag}/carry`);
    if (status === 404) return null;
    if (status !== 200) throw problemOf(status, content);
    return content;
  }

  /**
   * A time token, statement 16, for the nonce of a tag.
   * @param {string} tag
   * @param {Uint8Array} nonce
   * @returns {Promise<Uint8Array>}
   */
  async timeToken(tag, nonce) {
    const answer = await this.#json("POST", "/time", { tid: tag, nonce: toHex(nonce) });
    return octets(answer.statement);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [fields]
   */
  async #json(method, path, fields) {
    const headers = fields ? { "Content-Type": "application/json" } : {};
    const body = fields ? JSON.stringify(fields) : undefined;
    const { status, content } = await this.#answer(method, path, headers, body);
    if (status !== 200) throw problemOf(status, content);
    return content;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Record<string, string>} [headers]
   * @param {any} [body]
   * @returns {Promise<{status: number, content: any}>}
   */
  async #answer(method, path, headers = {}, body = undefined) {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const all = { ...headers, Authorization: `Bearer ${this.client.token}` };
    try {
      const init = { method, headers: all, body, signal, cache: "no-store", redirect: "error" };
      const answer = await this.ask(this.client.path + path, init);
      const content = await answer.json();
      if (typeof content !== "object" || content === null) throw new TypeError("no object");
      return { status: answer.status, content };
    } catch (fault) {
      // A TypeError is how fetch says "no network"; a SyntaxError: no JSON.
      const isNet = fault instanceof TypeError || fault instanceof DOMException;
      if (!isNet && !(fault instanceof SyntaxError)) throw fault;
      throw new ArchiveLater("The archive cannot be reached now.", KEPT);
    }
  }
}

/**
 * Bytes of a hex text in an answer. Throws ArchiveLater.
 * @param {unknown} text
 * @returns {Uint8Array}
 */
export function octets(text) {
  try {
    return fromHex(typeof text === "string" ? text : "-");
  } catch (fault) {
    if (!(fault instanceof RangeError)) throw fault;
    throw notUnderstood();
  }
}

/**
 * *value* if it is an array of objects. Throws ArchiveLater.
 * @param {unknown} value
 * @returns {any[]}
 */
export function rows(value) {
  const isOne = (/** @type {unknown} */ row) => typeof row === "object" && row !== null;
  if (!Array.isArray(value) || !value.every(isOne)) throw notUnderstood();
  return value;
}

/** An answer that is not what it should be. */
export function notUnderstood() {
  return new ArchiveLater("The archive's answer is not understood.", KEPT);
}

/**
 * @param {number} status
 * @param {any} content
 */
function problemOf(status, content) {
  const said = typeof content.detail === "string" ? content.detail.slice(0, 200) : "";
  if (status === 401) {
    return new AccessRefused("The archive does not know this phone.", "Ask for a new link.");
  }
  if (status === 422) {
    return new EvidenceRefused(`The archive refuses: ${said}.`, "Ask its owner.");
  }
  if (status === 403 || status === 404 || status === 409) {
    return new AccessRefused(`The archive says no: ${said}.`, "Ask its owner.");
  }
  return new ArchiveLater("The archive cannot do this now.", KEPT);
}
