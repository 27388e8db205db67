// SPDX-License-Identifier: MIT
// @ts-check
/**
 * Enrolling this phone: a link brings the archive's path, a token and the client's name; the phone
 * makes its key, proves it, and takes its tickets. Repeating is harmless at every point.
 */

import { Archive } from "./archive.js";
import { AccessRefused, InputError } from "./errors.js";
import { toHex } from "./octets.js";
import { PhoneKey } from "./phone_key.js";
import { readTickets } from "./tickets.js";

const PATH = "/v1";
const TOKEN = /^[A-Za-z0-9_-]{16,128}$/;

/** @typedef {{token: string, name: string, path: string}} Client */

/**
 * The client in the fragment of an enrolment link, or in the whole link; null where the text has
 * nothing to do with enrolment. Throws InputError for a damaged link.
 * @param {string} text
 * @returns {Client | null}
 */
export function readLink(text) {
  const fragment = text.slice(text.indexOf("#") + 1).trim();
  if (!text.includes("#") || !fragment.startsWith("enrol=")) return null;
  const fields = new URLSearchParams(fragment);
  const [token, name] = [fields.get("enrol") ?? "", fields.get("client") ?? ""];
  const path = fields.get("archive") ?? PATH;
  // Never another origin: the token would go wherever a link says.
  const isPath = /^(\/[a-z0-9_-]+)+$/.test(path) && path.length <= 64;
  if (!TOKEN.test(token) || !name || name.length > 64 || !isPath) {
    throw new InputError("This enrolment link is damaged.", "Copy the whole link, or scan again.");
  }
  return { token, name, path };
}

/**
 * Makes this phone the client of *client*; durable when it resolves. Throws VisitError.
 * @param {Client} client
 * @param {{database: any, ask: (input: string, init: any) => Promise<any>}} world
 * @returns {Promise<{me: any, count: number}>} *count* of tickets
 */
export async function enrol(client, { database, ask }) {
  const archive = new Archive(client, ask);
  const me = await archive.me();
  if (me.name !== client.name) {
    throw new InputError("This link is for another client.", "Ask for a new link.");
  }
  const key = (await PhoneKey.load(database)) ?? (await PhoneKey.make());
  const isOther = typeof me.public_key === "string" && me.public_key !== toHex(key.publicKey);
  if (isOther) {
    throw new AccessRefused(
      "This link was used already, by another phone or before this browser's storage was cleared.",
      "Ask for a new link.",
    );
  }
  // Kept before the archive hears of it: a cut in between must not leave a client without its key.
  await database.write([key.change]);
  await archive.setKey(key.publicKey, await key.proof(client.name));
  const count = await refreshTickets(archive, key, database, [
    { store: "settings", key: "client", value: client },
  ]);
  return { me, count };
}

/**
 * Takes the newest tickets from the archive, durable when it resolves; how many.
 * @param {Archive} archive
 * @param {PhoneKey} key
 * @param {any} database
 * @param {import("./database.js").Change[]} [more] changes that belong with it
 * @returns {Promise<number>}
 */
export async function refreshTickets(archive, key, database, more = []) {
  const tickets = await readTickets(await archive.tickets(), key.publicKey);
  await database.write([...more, { store: "settings", key: "tickets", value: tickets }]);
  return tickets.length;
}
