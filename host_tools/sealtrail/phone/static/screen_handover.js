// SPDX-License-Identifier: MIT
// @ts-check
/** The form of a handover: press give or take, say how the box is, sign. Three taps. */

import { InputError } from "./errors.js";
import { utf8 } from "./octets.js";
import { element, faultWords, say, showScreen } from "./screens.js";

const WORDS = { offer: "Give the box away", accept: "Take the box over" };
const [SEALS_MAX, SEAL_SIZE_MAX, PLACE_SIZE_MAX] = [4, 24, 48];

/** The form; *signed* is called with the note, *back* when nothing was signed. */
export class HandoverScreen {
  /** @type {"offer" | "accept"} */
  kind = "offer";

  /**
   * @param {import("./phone.js").Phone} phone
   * @param {{sign: (kind: "offer" | "accept", note: any) => Promise<void>,
   *   back: () => void}} ways
   */
  constructor(phone, ways) {
    this.phone = phone;
    this.ways = ways;
    element("cancel").addEventListener("click", () => ways.back());
    element("handover").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.sign();
    });
  }

  /**
   * Shows the form; the place of the last handover stands there already.
   * @param {"offer" | "accept"} kind
   * @param {string} serial
   */
  async show(kind, serial) {
    this.kind = kind;
    element("handover").reset();
    element("place").value = (await this.phone.database.get("settings", "place")) ?? "";
    say("handover-title", `${WORDS[kind]}: ${serial}`);
    say("handover-state", "");
    showScreen("screen-handover");
  }

  /** Signs what the form says. */
  async sign() {
    element("sign").disabled = true;
    try {
      const note = this.note();
      await this.phone.database.write([{ store: "settings", key: "place", value: note.place }]);
      say("handover-state", "Signing …");
      await this.ways.sign(this.kind, note);
    } catch (fault) {
      say("handover-state", faultWords(fault));
    } finally {
      element("sign").disabled = false;
    }
  }

  /** The note in the form. Throws InputError. */
  note() {
    const nowMs = this.phone.nowMs();
    const condition = Number(element("handover").elements.condition.value);
    const zoneMin = -new Date(nowMs).getTimezoneOffset();
    const place = element("place").value.trim();
    if (!place) throw new InputError("Say where you are.", "A few words are enough.");
    if (utf8(place).length > PLACE_SIZE_MAX) {
      throw new InputError("The place is too long.", "Use fewer words.");
    }
    const packages = element("packages").value;
    const seals = sealsIn(element("seals").value, packages);
    return { place, utcS: Math.floor(nowMs / 1000), zoneMin, seals, condition };
  }
}

/**
 * The seal numbers; a count of packages is signed as one more text, for there is no field for it.
 * @param {string} text
 * @param {string} packages
 * @returns {string[]}
 */
function sealsIn(text, packages) {
  const seals = text.split(/[,;\n]/).map((one) => one.trim()).filter(Boolean);
  const all = packages ? [...seals, `packages: ${Number(packages)}`] : seals;
  if (all.length > SEALS_MAX || all.some((one) => utf8(one).length > SEAL_SIZE_MAX)) {
    const hint = `At most ${SEALS_MAX}, packages count as one, each of ${SEAL_SIZE_MAX} letters.`;
    throw new InputError("Too many or too long seal numbers.", hint);
  }
  return all;
}
