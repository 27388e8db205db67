// SPDX-License-Identifier: MIT
// @ts-check
/** What all screens use of the document: elements by id, one screen at a time. */

const SCREENS = ["screen-enrol", "screen-tags", "screen-visit", "screen-handover"];

/**
 * The element with that id. Throws RangeError where the page has none.
 * @param {string} id
 * @returns {any}
 */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new RangeError(`the page has no #${id}`);
  return found;
}

/**
 * Shows one screen and hides the others; its heading gets the focus, so it is read aloud.
 * @param {string} id
 */
export function showScreen(id) {
  for (const one of SCREENS) element(one).hidden = one !== id;
  element(id).querySelector("h2").focus();
  window.scrollTo(0, 0);
}

/**
 * Sets a text, once: what has not changed is not read aloud again.
 * @param {string} id
 * @param {string} text
 */
export function say(id, text) {
  const found = element(id);
  if (found.textContent !== text) found.textContent = text;
}

/**
 * A text that is there only when there is something to say.
 * @param {string} id
 * @param {string} text "": hidden
 */
export function sayIf(id, text) {
  say(id, text);
  element(id).hidden = text === "";
}

/**
 * A new element with a class and a text.
 * @param {string} name
 * @param {string} className
 * @param {string} [text]
 * @returns {any}
 */
export function make(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/**
 * Runs *work* at each press of a button; the button is off meanwhile. Faults go to *tell*.
 * @param {string} id
 * @param {() => Promise<void>} work
 * @param {(fault: unknown) => void} tell
 */
export function onPress(id, work, tell) {
  const button = element(id);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await work();
    } catch (fault) {
      tell(fault);
    } finally {
      button.disabled = false;
    }
  });
}

/**
 * A fault in words for a person.
 * @param {any} fault
 * @returns {string}
 */
export function faultWords(fault) {
  const hint = typeof fault?.hint === "string" ? fault.hint : "";
  if (hint || fault?.name?.endsWith("Refused")) return `${fault.message} ${hint}`.trim();
  if (fault?.name === "QuotaExceededError") return "This phone is full. Free some space.";
  return `${fault?.message ?? fault}. Load this page anew.`;
}
