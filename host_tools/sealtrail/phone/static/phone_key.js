// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The phone's own key: Ed25519 in WebCrypto, made here, its secret half never to be exported, not
 * even by this page. The database keeps the handle; when the browser clears it, the key is gone.
 */

import { InputError } from "./errors.js";
import { join, utf8 } from "./octets.js";

const PROOF_LABEL = "sealtrail/1 client key\0";

/** A key that signs. *publicKey*: 32 bytes. */
export class PhoneKey {
  /**
   * @param {CryptoKey} secret
   * @param {Uint8Array} publicKey
   */
  constructor(secret, publicKey) {
    this.secret = secret;
    this.publicKey = publicKey;
  }

  /**
   * Makes one. Throws InputError where the browser has no Ed25519.
   * @returns {Promise<PhoneKey>}
   */
  static async make() {
    try {
      const pair = /** @type {CryptoKeyPair} */ (
        await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"])
      );
      const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
      return new PhoneKey(pair.privateKey, new Uint8Array(raw));
    } catch (fault) {
      if (!(fault instanceof DOMException)) throw fault;
      throw new InputError("This browser cannot make signing keys.", "Update it, or use Chrome.");
    }
  }

  /**
   * The key kept in *database*, else null.
   * @param {import("./database.js").Database} database
   * @returns {Promise<PhoneKey | null>}
   */
  static async load(database) {
    const kept = await database.get("settings", "key");
    return kept ? new PhoneKey(kept.secret, kept.publicKey) : null;
  }

  /** How the database keeps it. */
  get change() {
    const value = { secret: this.secret, publicKey: this.publicKey };
    return { store: "settings", key: "key", value };
  }

  /**
   * A signature, 64 bytes.
   * @param {Uint8Array} message
   * @returns {Promise<Uint8Array>}
   */
  async sign(message) {
    return new Uint8Array(await crypto.subtle.sign("Ed25519", this.secret, message));
  }

  /**
   * The proof that binds this key to the client *name* (docs/archive.md, 1.5).
   * @param {string} name
   * @returns {Promise<Uint8Array>}
   */
  proof(name) {
    return this.sign(join(utf8(PROOF_LABEL), utf8(name)));
  }
}
