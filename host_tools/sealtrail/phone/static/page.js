// SPDX-License-Identifier: MIT
// @ts-check
/** The page's beginning: opens the database, joins the screens, goes where the phone stands. */

import { Database } from "./database.js";
import { Phone } from "./phone.js";
import { HandoverScreen } from "./screen_handover.js";
import { prepareEnrol, showEnrol } from "./screen_enrol.js";
import { drawTags, prepareTags, showTags } from "./screen_tags.js";
import { VisitScreen } from "./screen_visit.js";
import { element, faultWords, sayIf, showScreen } from "./screens.js";

/** Starts the page. */
export async function start() {
  const tell = (/** @type {unknown} */ fault) => sayIf("notice", faultWords(fault));
  try {
    const phone = new Phone(await Database.open(indexedDB), fetch.bind(window), Date.now);
    await phone.load();
    join(phone, tell);
    await begin(phone);
  } catch (fault) {
    tell(fault);
  }
}

/**
 * @param {Phone} phone
 * @param {(fault: unknown) => void} tell
 */
function join(phone, tell) {
  const visit = new VisitScreen(phone, {
    leave: () => showTags(phone),
    handOver: (kind) => handover.show(kind, visit.ticket?.serial ?? ""),
    tell,
  });
  const handover = new HandoverScreen(phone, {
    back: () => showScreen("screen-visit"),
    sign: async (kind, note) => {
      const { courier } = visit;
      if (courier === null) return;
      showScreen("screen-visit");
      await (kind === "offer" ? courier.handOver(note) : courier.takeOver(note));
      await visit.noted();
    },
  });
  prepareEnrol(phone, () => enrolled(phone));
  prepareTags(phone, (ticket, device) => visit.visit(ticket, device));
  addEventListener("online", () => uploadDue(phone).catch(tell));
  addEventListener("hashchange", () => begin(phone).catch(tell));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") uploadDue(phone).catch(tell);
  });
}

/** @param {Phone} phone */
async function begin(phone) {
  await showBluetooth();
  const address = location.href;
  // The token leaves address line and history at once.
  if (location.hash) history.replaceState(null, "", location.pathname);
  if (address.includes("#enrol=") || !phone.isEnrolled) {
    await showEnrol(phone, address, () => enrolled(phone));
    return;
  }
  await showTags(phone);
  await uploadDue(phone);
}

/** @param {Phone} phone */
async function enrolled(phone) {
  await showTags(phone);
  await uploadDue(phone);
}

/** @param {Phone} phone */
async function uploadDue(phone) {
  if (!phone.isEnrolled || !navigator.onLine) return;
  const { due } = await phone.overview();
  if (!due.size) return;
  await phone.upload();
  await drawTags(phone);
}

async function showBluetooth() {
  const { bluetooth } = navigator;
  const isThere = Boolean(bluetooth) && (await bluetooth.getAvailability().catch(() => true));
  element("screen-missing").hidden = isThere;
}

start();
