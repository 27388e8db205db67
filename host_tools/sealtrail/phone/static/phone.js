// SPDX-License-Identifier: MIT
// @ts-check
/** This phone: its key, client, tickets and evidence, and the way to the archive. No DOM. */

import { Archive } from "./archive.js";
import { Pouch } from "./carry.js";
import { readFleet } from "./certificate.js";
import { enrol, refreshTickets } from "./enrol.js";
import { InputError, LinkError } from "./errors.js";
import { KeptEvidence } from "./kept_evidence.js";
import { PhoneKey } from "./phone_key.js";
import { deliver, flush } from "./upload.js";

const FLEET_SIZE_MAX = 16_384;

/** @typedef {(input: string, init?: any) => Promise<any>} Ask */

/** All that lasts between visits. Made by `load`. */
export class Phone {
  /** @type {PhoneKey | null} */
  key = null;
  /** @type {import("./enrol.js").Client | null} */
  client = null;
  /** @type {import("./tickets.js").KeptTicket[]} */
  tickets = [];
  /** @type {import("./certificate.js").FleetKey[]} */
  fleet = [];
  /** @type {Map<string, Pouch>} */
  pouches = new Map();
  /** @type {Promise<any> | null} an upload under way */
  uploading = null;

  /**
   * @param {any} database
   * @param {Ask} ask
   * @param {() => number} nowMs Unix ms
   */
  constructor(database, ask, nowMs) {
    this.database = database;
    this.ask = ask;
    this.nowMs = nowMs;
  }

  /** True once key, client and tickets are here. */
  get isEnrolled() {
    return this.key !== null && this.client !== null;
  }

  /** Reads everything from the database. */
  async load() {
    this.key = await PhoneKey.load(this.database);
    this.client = (await this.database.get("settings", "client")) ?? null;
    this.tickets = (await this.database.get("settings", "tickets")) ?? [];
    this.fleet = parsedFleet((await this.database.get("settings", "fleet")) ?? "");
  }

  /**
   * Enrols by the client of a link; how many tickets came.
   * @param {import("./enrol.js").Client} client
   */
  async enrol(client) {
    const { count } = await enrol(client, this);
    await this.load();
    await this.refreshFleet();
    return count;
  }

  /** Takes the newest tickets and fleet keys; how many tickets. Throws VisitError. */
  async refresh() {
    const { key } = this;
    if (key === null) throw new InputError("This phone is not set up.", "Use your link.");
    const count = await refreshTickets(this.archive, key, this.database);
    await this.refreshFleet();
    await this.load();
    return count;
  }

  /** The keys that certify the archive's, from who serves this page; else the old ones stay. */
  async refreshFleet() {
    try {
      const answer = await this.ask("/fleet.pub", { cache: "no-store" });
      const text = answer.ok ? await answer.text() : "";
      if (!text || text.length > FLEET_SIZE_MAX || !parsedFleet(text).length) return;
      await this.database.write([{ store: "settings", key: "fleet", value: text }]);
      this.fleet = parsedFleet(text);
    } catch (fault) {
      if (!(fault instanceof TypeError)) throw fault; // no network
    }
  }

  get archive() {
    if (this.client === null) throw new InputError("This phone is not set up.", "Use your link.");
    return new Archive(this.client, this.ask);
  }

  /** @param {string} tag */
  ticketOf(tag) {
    return this.tickets.find((one) => one.tag === tag);
  }

  /**
   * What a visit to the tag of *ticket* writes to.
   * @param {import("./tickets.js").KeptTicket} ticket
   */
  async open(ticket) {
    const { database } = this;
    const { tag, serial, tid, certificate } = ticket;
    await database.write([{ store: "tags", key: tag, merge: { serial, tid, certificate } }]);
    const { known } = await database.get("tags", tag);
    const evidence = await KeptEvidence.open(database, tag, certificate);
    return { evidence, pouch: await this.#pouch(tag), known: known ?? [] };
  }

  /**
   * What a visit has found out; durable when it resolves.
   * @param {string} tag
   * @param {object} found
   */
  async note(tag, found) {
    await this.database.write([{ store: "tags", key: tag, merge: found }]);
  }

  /** What is known of every tag, and which are due. */
  async overview() {
    const { database } = this;
    const rows = new Map();
    for (const tag of await database.keys("tags")) rows.set(tag, await database.get("tags", tag));
    const due = new Map();
    for (const tag of await database.keys("outbox")) {
      due.set(tag, await database.get("outbox", tag));
    }
    return { rows, due };
  }

  /** Uploads all that is due; one upload at a time. */
  async upload() {
    this.uploading ??= this.#upload().finally(() => (this.uploading = null));
    return this.uploading;
  }

  /**
   * One object for each tag: an upload and a visit may use it at the same time.
   * @param {string} tag
   */
  async #pouch(tag) {
    const loaded = this.pouches.get(tag) ?? (await Pouch.load(this.database, tag));
    if (!this.pouches.has(tag)) this.pouches.set(tag, loaded);
    return this.pouches.get(tag);
  }

  async #upload() {
    const { archive, database } = this;
    if (!this.fleet.length) await this.refreshFleet();
    return flush(database, async (tag) => {
      const { tid, certificate } = await database.get("tags", tag);
      const evidence = await KeptEvidence.open(database, tag, certificate);
      const pouch = await this.#pouch(tag);
      const world = { archive, fleet: this.fleet, nowMs: this.nowMs(), tid };
      return deliver(evidence, pouch, world);
    });
  }
}

/** @param {string} text */
function parsedFleet(text) {
  try {
    return readFleet(text);
  } catch (fault) {
    const isText = fault instanceof RangeError || fault instanceof DOMException;
    if (!isText) throw fault;
    throw new LinkError("The fleet's keys on the server cannot be read.", "Tell its owner.");
  }
}
