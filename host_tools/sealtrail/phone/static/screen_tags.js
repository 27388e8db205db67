// SPDX-License-Identifier: MIT
// @ts-check
/** The list of this person's tags, what waits for upload, and the browser's chooser of devices. */

import { InputError } from "./errors.js";
import { toHex } from "./octets.js";
import { GATT } from "./protocol.js";
import { element, faultWords, make, onPress, say, sayIf, showScreen } from "./screens.js";
import { agoWords, roleWords } from "./tag_words.js";
import { isNameOf } from "./tickets.js";

/** @typedef {import("./tickets.js").KeptTicket} KeptTicket */
/** @typedef {(ticket: KeptTicket, device: any) => Promise<void>} Visit */

const NOTHING = "Nothing waits for upload.";

/**
 * Prepares the buttons; *visit* goes to a tag that was chosen.
 * @param {import("./phone.js").Phone} phone
 * @param {Visit} visit
 */
export function prepareTags(phone, visit) {
  const tell = (/** @type {any} */ fault) => {
    // A person who closes the chooser has made no mistake.
    sayIf("notice", fault?.name === "NotFoundError" ? "" : faultWords(fault));
  };
  onPress("connect", () => findTag(phone, visit), tell);
  onPress("upload", () => uploadNow(phone), tell);
  onPress("refresh", () => refreshNow(phone), tell);
  element("tags").addEventListener("click", async (/** @type {any} */ event) => {
    const tag = event.target.closest("button")?.dataset.name;
    const ticket = phone.tickets.find((one) => one.name === tag);
    if (!ticket) return;
    try {
      await visit(ticket, await chosenDevice());
    } catch (fault) {
      tell(fault);
    }
  });
}

/**
 * Shows the list as it is now.
 * @param {import("./phone.js").Phone} phone
 */
export async function showTags(phone) {
  showScreen("screen-tags");
  await drawTags(phone);
}

/**
 * Draws list and upload state, whatever screen is shown.
 * @param {import("./phone.js").Phone} phone
 */
export async function drawTags(phone) {
  const { rows, due } = await phone.overview();
  const nowMs = phone.nowMs();
  const cards = phone.tickets.map((ticket) =>
    card(ticket, rows.get(ticket.tag) ?? {}, due.has(ticket.tag), nowMs),
  );
  element("tags").replaceChildren(...cards);
  element("tags-empty").hidden = cards.length > 0;
  element("connect").disabled = !cards.length || !navigator.bluetooth;
  const problems = [...due.values()].map((one) => one.problem).filter(Boolean);
  const waits = due.size === 1 ? "1 tag waits for upload." : `${due.size} tags wait for upload.`;
  say("upload-state", due.size ? `${waits} ${problems[0] ?? ""}`.trim() : NOTHING);
  say("who", phone.client ? phone.client.name : "");
  say("phone-key", phone.key ? toHex(phone.key.publicKey) : "");
  say("storage-state", await storageWords());
}

/**
 * @param {KeptTicket} ticket
 * @param {any} row
 * @param {boolean} isDue
 * @param {number} nowMs
 */
function card(ticket, row, isDue, nowMs) {
  const made = make("li", "tag");
  made.dataset.tag = ticket.tag;
  const upload = isDue ? "Waits for upload." : row.syncMs ? "Uploaded." : "";
  const receipt = row.receiptSeq >= 0 ? ` Confirmed to record ${row.receiptSeq}.` : "";
  const ends = new Date(ticket.expS * 1000).toLocaleDateString();
  const isOver = ticket.expS * 1000 < nowMs;
  const trip = ticket.trip ? `, trip ${ticket.trip} only` : "";
  const button = make("button", "tag-connect", "Connect");
  button.type = "button";
  button.dataset.name = ticket.name;
  button.disabled = isOver || !navigator.bluetooth;
  button.setAttribute("aria-label", `Connect to ${ticket.serial}`);
  made.append(
    make("h3", "tag-serial", ticket.serial),
    make("p", "tag-sync", agoWords(row.syncMs, nowMs)),
    make("p", isDue ? "tag-upload warn" : "tag-upload", upload + receipt),
    make("p", "tag-ticket small", `You ${roleWords(ticket.role)}${trip}, ` +
      (isOver ? "but your ticket has expired: refresh." : `until ${ends}.`)),
    button,
  );
  return made;
}

/** @returns {Promise<any>} the device that the person chose; DOMException where none was */
function chosenDevice() {
  sayIf("notice", "");
  return navigator.bluetooth.requestDevice({
    filters: [{ services: [GATT.SERVICE_UUID] }, { namePrefix: "ST-" }],
    optionalServices: [GATT.SERVICE_UUID, "device_information", "battery_service"],
  });
}

/**
 * @param {import("./phone.js").Phone} phone
 * @param {Visit} visit
 */
async function findTag(phone, visit) {
  const device = await chosenDevice();
  for (const ticket of phone.tickets) {
    if (device.name && (await isNameOf(ticket, device.name))) return visit(ticket, device);
  }
  if (phone.tickets.length === 1) return visit(phone.tickets[0], device);
  throw new InputError(
    `${device.name ?? "This box"} is none of your tags, by its name.`,
    "If you know which of your tags it is, press Connect beside it.",
  );
}

/** @param {import("./phone.js").Phone} phone */
async function uploadNow(phone) {
  sayIf("notice", "");
  say("upload-state", "Uploading …");
  try {
    await phone.upload();
  } finally {
    await drawTags(phone);
  }
}

/** @param {import("./phone.js").Phone} phone */
async function refreshNow(phone) {
  sayIf("notice", "");
  await phone.refresh();
  await drawTags(phone);
}

async function storageWords() {
  const isKept = navigator.storage?.persisted ? await navigator.storage.persisted() : false;
  return isKept
    ? "The browser keeps this page's data until you clear it."
    : "The browser may clear this page's data when space is low: upload soon after each visit.";
}
