// SPDX-License-Identifier: MIT
// @ts-check
/** The screen that sets a phone up, by the link in the address or one that was pasted. */

import { readLink } from "./enrol.js";
import { InputError } from "./errors.js";
import { element, faultWords, onPress, say, showScreen } from "./screens.js";

/**
 * Prepares the screen; *done* is called once the phone is enrolled.
 * @param {import("./phone.js").Phone} phone
 * @param {() => Promise<void>} done
 */
export function prepareEnrol(phone, done) {
  const tell = (/** @type {unknown} */ fault) => say("enrol-state", faultWords(fault));
  onPress("enrol", () => enrolBy(phone, element("enrol-link").value, done), tell);
}

/**
 * Shows the screen, and enrols at once where *address* is an enrolment link.
 * @param {import("./phone.js").Phone} phone
 * @param {string} address
 * @param {() => Promise<void>} done
 */
export async function showEnrol(phone, address, done) {
  showScreen("screen-enrol");
  if (!address.includes("#enrol=")) return;
  try {
    await enrolBy(phone, address, done);
  } catch (fault) {
    say("enrol-state", faultWords(fault));
  }
}

/**
 * @param {import("./phone.js").Phone} phone
 * @param {string} text
 * @param {() => Promise<void>} done
 */
async function enrolBy(phone, text, done) {
  const client = readLink(text);
  if (client === null) {
    throw new InputError("That is no enrolment link.", "It contains #enrol= and a long code.");
  }
  say("enrol-state", "Setting up …");
  // Asked for while a person is looking: without it the browser may clear the key.
  if (navigator.storage?.persist) await navigator.storage.persist();
  await phone.enrol(client);
  say("enrol-state", "This phone is set up.");
  element("enrol-link").value = "";
  await done();
}
