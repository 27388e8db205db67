// SPDX-License-Identifier: MIT
// @ts-check
/**
 * The radio link to one tag over Web Bluetooth: whole control messages and bulk frames, in the
 * order in which they arrived. The device comes from the browser's chooser, which needs a tap.
 */

import { LinkError } from "./errors.js";
import { FrameError, Joiner } from "./frames.js";
import { GATT } from "./protocol.js";

const QUEUE_COUNT_MAX = 8192; // frames; a window of 64 records at MTU 23 is 4,100
const WRITE_TRIES = 5;
const WRITE_PAUSE_MS = 60; // two connection intervals
const OPEN_TIMEOUT_MS = 13_000; // connecting and both subscriptions
const SHORT_SIZE_MAX = 20; // fits one write without response at every MTU
const LOST = "The link to the tag was lost.";
const RESUMES = "Go nearer and repeat; it resumes.";

/**
 * What is used of BluetoothDevice; tests bring their own.
 * @typedef {EventTarget & {gatt: any}} Device
 */
/** @typedef {import("./visitor_session.js").Inbound} Inbound */

/** A link over *device*; after a loss it may be connected again without another tap. */
export class WebLink {
  /** @param {Device} device */
  constructor(device) {
    this.device = device;
    this.joiner = new Joiner();
    /** @type {Inbound[]} */
    this.inbox = [];
    this.isUp = this.isOverrun = false;
    /** @type {() => void} tells whoever waits in `receive` that something happened */
    this.wake = () => {};
    /** @type {any} */
    this.control = null;
    device.addEventListener("gattserverdisconnected", () => {
      this.isUp = false;
      this.wake();
    });
  }

  /** Connects and subscribes. Throws LinkError in bounded time. */
  async connect() {
    await this.disconnect();
    this.inbox = [];
    this.joiner = new Joiner();
    this.isOverrun = false;
    try {
      await within(this.#open(), OPEN_TIMEOUT_MS);
      this.isUp = true;
    } catch (fault) {
      await this.disconnect();
      throw new LinkError(`No radio link (${nameOf(fault)}).`, "Go nearer to the tag, try again.");
    }
  }

  async #open() {
    const server = await this.device.gatt.connect();
    const service = await server.getPrimaryService(GATT.SERVICE_UUID);
    this.control = await service.getCharacteristic(GATT.CONTROL_UUID);
    const bulk = await service.getCharacteristic(GATT.BULK_UUID);
    await this.#subscribe(this.control, false);
    await this.#subscribe(bulk, true);
  }

  /**
   * @param {any} characteristic
   * @param {boolean} isBulk
   */
  async #subscribe(characteristic, isBulk) {
    characteristic.oncharacteristicvaluechanged = () => {
      const { buffer, byteOffset, byteLength } = characteristic.value;
      this.#take({ isBulk, content: new Uint8Array(buffer, byteOffset, byteLength).slice() });
    };
    await characteristic.startNotifications();
  }

  /** @param {Inbound} inbound */
  #take(inbound) {
    const whole = inbound.isBulk ? inbound.content : joined(this.joiner, inbound.content);
    if (whole === null) return;
    // Never thrown away silently: a stream with a hole would be asked for again and again.
    if (this.inbox.length >= QUEUE_COUNT_MAX) this.isOverrun = true;
    else this.inbox.push({ isBulk: inbound.isBulk, content: whole });
    this.wake();
  }

  /**
   * Writes one control message of at most 512 bytes. Throws LinkError.
   * @param {Uint8Array} message
   */
  async send(message) {
    // A tag whose buffers are full refuses write requests; what fits goes without response.
    const write = message.length <= SHORT_SIZE_MAX ? "WithoutResponse" : "WithResponse";
    for (let count = 1; ; count += 1) {
      if (!this.isUp) throw new LinkError(LOST, RESUMES);
      try {
        await this.control[`writeValue${write}`](message);
        return;
      } catch (fault) {
        if (!(fault instanceof DOMException)) throw fault;
        if (count === WRITE_TRIES) throw new LinkError(`${LOST} (${nameOf(fault)})`, RESUMES);
      }
      await new Promise((resolve) => setTimeout(resolve, WRITE_PAUSE_MS));
    }
  }

  /**
   * What arrived before a loss of the link is still given out, then LinkError. Null when
   * *timeoutMs* brought nothing.
   * @param {number} timeoutMs
   * @returns {Promise<Inbound | null>}
   */
  async receive(timeoutMs) {
    if (!this.inbox.length && this.isUp) await this.#something(timeoutMs);
    if (this.isOverrun) throw new LinkError("The tag sends faster than this phone takes it.");
    const inbound = this.inbox.shift();
    if (!inbound && !this.isUp) throw new LinkError(LOST, RESUMES);
    return inbound ?? null;
  }

  /** @param {number} timeoutMs */
  #something(timeoutMs) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  /** Ends the link; a dead one too. Never throws. */
  async disconnect() {
    this.isUp = false;
    if (this.device.gatt.connected) this.device.gatt.disconnect();
  }
}

/**
 * The whole message at its last part, else null: a lost part means the command is said again.
 * @param {Joiner} joiner
 * @param {Uint8Array} value
 */
function joined(joiner, value) {
  try {
    return joiner.feed(value);
  } catch (fault) {
    if (fault instanceof FrameError) return null;
    throw fault;
  }
}

/**
 * @param {Promise<void>} work
 * @param {number} timeoutMs
 */
function within(work, timeoutMs) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer")), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @param {unknown} fault */
function nameOf(fault) {
  return fault instanceof DOMException ? fault.name : "no answer";
}
