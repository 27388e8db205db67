// SPDX-License-Identifier: MIT
// @ts-check
/** What a tag and a visit say, in words for a courier. No DOM. */

const ROLES = new Map([
  ["viewer", "may read"],
  ["courier", "may read and hand over"],
  ["site", "may read, hand over, and start and end trips"],
  ["qa", "may read and check"],
  ["service", "may service the tag"],
]);

/**
 * The tag's state as sentences, most urgent first; each with how urgent it is.
 * @param {any} ready of access.js
 * @returns {{text: string, level: "bad" | "warn" | "good"}[]}
 */
export function tagWords(ready) {
  /** @type {{text: string, level: "bad" | "warn" | "good"}[]} */
  const said = [];
  const say = (/** @type {"bad" | "warn" | "good"} */ level, /** @type {string} */ text) =>
    said.push({ level, text });
  if (ready.isAlarm) say("bad", "ALARM: a limit was broken. Tell the person in charge now.");
  if (ready.isKeyLost) say("bad", "The tag cannot sign any more. Have it examined.");
  if (ready.isRefusing) say("bad", "The tag's memory is full: it keeps no new readings. Upload.");
  else if (ready.isFilling) say("warn", "The tag's memory is nearly full. Upload soon.");
  if (!ready.isSure) say("warn", "The tag's clock is not sure. The next upload helps.");
  say("good", ready.trip ? `Trip ${ready.trip} is on.` : "No trip is on.");
  if (said.every((one) => one.level === "good")) say("good", "No alarm. All is well.");
  return said;
}

/**
 * What a visit does now, in one line.
 * @param {import("./courier.js").View} view
 * @returns {string}
 */
export function visitWords(view) {
  const records = `${view.recordCount} ${view.recordCount === 1 ? "record" : "records"}`;
  switch (view.state) {
    case "CONNECTING":
      return "Connecting to the tag …";
    case "SYNCING":
      return `Reading the tag: ${records}${leftWords(view.leftS)}`;
    case "CARRYING":
      return "Everything is read. Bringing the tag its mail …";
    case "WAITING":
      return `Link lost. Trying again (${view.reconnectCount} of 5). Nothing is lost.`;
    case "READY":
      return "Everything on the tag is safe on this phone.";
    case "SIGNING":
      return "Signing …";
    case "TROUBLE":
      return "Stopped.";
    default:
      return "The visit has ended.";
  }
}

/**
 * What a role may do.
 * @param {string} role
 * @returns {string}
 */
export function roleWords(role) {
  return ROLES.get(role) ?? role;
}

/**
 * How long ago, in words.
 * @param {number | undefined} atMs Unix ms
 * @param {number} nowMs Unix ms
 * @returns {string}
 */
export function agoWords(atMs, nowMs) {
  if (!atMs) return "never read by this phone";
  const minutes = Math.max(0, Math.floor((nowMs - atMs) / 60_000));
  if (minutes < 1) return "read just now";
  if (minutes < 60) return `read ${minutes} min ago`;
  if (minutes < 48 * 60) return `read ${Math.floor(minutes / 60)} h ago`;
  return `read ${Math.floor(minutes / 1440)} days ago`;
}

/** @param {number | null} leftS */
function leftWords(leftS) {
  if (leftS === null) return "";
  if (leftS < 1) return ", nearly done";
  if (leftS < 90) return `, about ${leftS} s left`;
  return `, about ${Math.ceil(leftS / 60)} min left`;
}
