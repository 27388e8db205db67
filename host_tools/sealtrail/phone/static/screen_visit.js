// SPDX-License-Identifier: MIT
// @ts-check
/** A visit to one tag on the screen: progress, the tag's state in words, what can be done next. */

import { Courier } from "./courier.js";
import { SCOPE } from "./protocol.js";
import { element, make, onPress, say, sayIf, showScreen } from "./screens.js";
import { tagWords, visitWords } from "./tag_words.js";
import { Visitor } from "./visitor.js";
import { WebLink } from "./web_link.js";

const OFFERED = "The giver has signed. Now the receiver takes the box over.";
const SIGNED = {
  "": "",
  offer: "You have given the box away. The receiver signs next.",
  accept: "You have taken the box over.",
};

/** The visit that is shown; one at a time. */
export class VisitScreen {
  /** @type {Courier | null} */
  courier = null;

  /**
   * @param {import("./phone.js").Phone} phone
   * @param {{leave: () => Promise<void>, handOver: (kind: "offer" | "accept") => Promise<void>,
   *   tell: (fault: unknown) => void}} ways to other screens
   */
  constructor(phone, ways) {
    this.phone = phone;
    this.ways = ways;
    onPress("retry", () => this.begin(), ways.tell);
    onPress("give", () => ways.handOver("offer"), ways.tell);
    onPress("take", () => ways.handOver("accept"), ways.tell);
    onPress("leave", () => this.leave(), ways.tell);
  }

  /**
   * Visits the tag of *ticket* by *device*.
   * @param {import("./tickets.js").KeptTicket} ticket
   * @param {any} device
   */
  async visit(ticket, device) {
    const { phone } = this;
    const { key } = phone;
    if (key === null) return;
    const { evidence, pouch, known } = await phone.open(ticket);
    const sign = (/** @type {Uint8Array} */ message) => key.sign(message);
    const opened = { ...ticket, holderKey: key.publicKey, sign };
    const visitor = new Visitor(opened, new WebLink(device));
    visitor.knownKeys = known;
    this.ticket = ticket;
    this.visitor = visitor;
    this.courier = new Courier({
      visitor,
      evidence,
      pouch,
      nowMs: phone.nowMs,
      pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      onChange: (view) => this.draw(view),
    });
    say("visit-title", ticket.serial);
    this.draw(this.courier.view);
    showScreen("screen-visit");
    await this.begin();
  }

  /** Connects and syncs; also again, after a trouble. */
  async begin() {
    await this.courier?.begin();
    await this.noted();
  }

  /** Keeps what the visit found out, and uploads beside it. */
  async noted() {
    const { courier, visitor, ticket, phone } = this;
    if (!courier || !visitor || !ticket) return;
    const found = { known: visitor.knownKeys };
    if (courier.view.state === "READY") Object.assign(found, { syncMs: phone.nowMs() });
    await phone.note(ticket.tag, found);
    if (navigator.onLine) phone.upload().catch(this.ways.tell); // what fails stays due
  }

  /** Ends the visit and goes back to the list. */
  async leave() {
    await this.courier?.end();
    this.courier = null;
    await this.ways.leave();
  }

  /** @param {import("./courier.js").View} view */
  draw(view) {
    const { state, ready, problem } = view;
    element("screen-visit").dataset.state = state;
    element("sync-progress").value = view.doneShare;
    say("sync-state", visitWords(view));
    sayIf("visit-problem", problem ? `${problem.message} ${problem.hint}` : "");
    const alarms = view.alarms.length ? [ALARMED] : [];
    const words = ready ? [...alarms, ...tagWords(ready)] : [];
    const items = words.map(({ text, level }) => make("li", `word ${level}`, text));
    element("tag-words").replaceChildren(...items);
    const isOffered = view.isOffered && state === "READY" && !view.signed;
    sayIf("signed", SIGNED[view.signed] || (isOffered ? OFFERED : ""));
    const isReady = state === "READY";
    const mayHandOver = isReady && Boolean(ready.scope & SCOPE.SCOPE_HANDOVER);
    element("retry").hidden = state !== "TROUBLE";
    element("give").hidden = !mayHandOver || view.signed === "offer";
    element("take").hidden = !mayHandOver || view.signed !== "";
    say("leave", ["READY", "TROUBLE", "DONE"].includes(state) ? "Done with this tag" : "Stop");
    element("leave").disabled = state === "SIGNING";
  }
}

/** @type {{text: string, level: "bad"}} */
const ALARMED = {
  level: "bad",
  text: "The tag's records are not those that the archive has. Have the tag examined.",
};
