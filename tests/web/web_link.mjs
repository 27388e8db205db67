// SPDX-License-Identifier: MIT
/** WebLink over a device that can go wrong, no browser: prints a line a check. */

import assert from "node:assert/strict";

import { LinkError } from "../../host_tools/sealtrail/phone/static/errors.js";
import { GATT } from "../../host_tools/sealtrail/phone/static/protocol.js";
import { WebLink } from "../../host_tools/sealtrail/phone/static/web_link.js";

/** As far as the link looks at BluetoothDevice. */
class FakeDevice extends EventTarget {
  written = [];
  refusals = 0; // writes that are refused from now on
  isReachable = true;
  gatt = {
    connected: false,
    connect: async () => {
      if (!this.isReachable) throw new DOMException("", "NetworkError");
      this.gatt.connected = true;
      return { getPrimaryService: async (uuid) => this.#service(uuid) };
    },
    disconnect: () => this.lose(),
  };
  control = this.#characteristic("control");
  bulk = this.#characteristic("bulk");

  #service(uuid) {
    assert.equal(uuid, GATT.SERVICE_UUID);
    const all = { [GATT.CONTROL_UUID]: this.control, [GATT.BULK_UUID]: this.bulk };
    return { getCharacteristic: async (name) => all[name] };
  }

  #characteristic() {
    const write = (kind) => async (content) => {
      if (this.refusals > 0) {
        this.refusals -= 1;
        throw new DOMException("", "NotSupportedError");
      }
      this.written.push([kind, content]);
    };
    return {
      value: null,
      startNotifications: async () => {},
      writeValueWithResponse: write("request"),
      writeValueWithoutResponse: write("command"),
    };
  }

  notify(characteristic, ...octets) {
    // As browsers may do it: a view into a buffer that is used again.
    const buffer = Uint8Array.of(99, ...octets, 99).buffer;
    characteristic.value = new DataView(buffer, 1, octets.length);
    characteristic.oncharacteristicvaluechanged();
    new Uint8Array(buffer).fill(0);
  }

  lose() {
    this.gatt.connected = false;
    this.dispatchEvent(new Event("gattserverdisconnected"));
  }
}

async function linked() {
  const device = new FakeDevice();
  const link = new WebLink(device);
  await link.connect();
  return { device, link };
}

const contents = (inbound) => [inbound.isBulk, ...inbound.content];

const CHECKS = {
  async messagesComeWholeAndInOrder() {
    const { device, link } = await linked();
    device.notify(device.control, 0, 1, 2);
    device.notify(device.bulk, 0x12, 5);
    device.notify(device.control, 0x81, 3);
    device.notify(device.bulk, 0x12, 6);
    assert.deepEqual(contents(await link.receive(10)), [true, 0x12, 5]);
    assert.deepEqual(contents(await link.receive(10)), [false, 1, 2, 3]);
    assert.deepEqual(contents(await link.receive(10)), [true, 0x12, 6]);
    assert.equal(await link.receive(5), null);
  },
  async whoWaitsIsWoken() {
    const { device, link } = await linked();
    const waiting = link.receive(60_000);
    device.notify(device.bulk, 0x12, 7);
    assert.deepEqual(contents(await waiting), [true, 0x12, 7]);
  },
  async whatCameBeforeALossIsStillGivenOut() {
    const { device, link } = await linked();
    device.notify(device.bulk, 0x12, 8);
    device.lose();
    assert.deepEqual(contents(await link.receive(10)), [true, 0x12, 8]);
    await assert.rejects(link.receive(10), LinkError);
    await assert.rejects(link.send(new Uint8Array(3)), LinkError);
  },
  async aLossEndsTheWait() {
    const { device, link } = await linked();
    const waiting = link.receive(60_000);
    device.lose();
    await assert.rejects(waiting, LinkError);
    await link.connect(); // the same device, no tap
    assert.equal(await link.receive(1), null);
  },
  async shortMessagesGoWithoutResponse() {
    const { device, link } = await linked();
    await link.send(new Uint8Array(20));
    await link.send(new Uint8Array(21));
    assert.deepEqual(device.written.map(([kind]) => kind), ["command", "request"]);
  },
  async aRefusedWriteIsSaidAgainButNotForEver() {
    const { device, link } = await linked();
    device.refusals = 4;
    await link.send(new Uint8Array(132));
    assert.equal(device.written.length, 1);
    device.refusals = 5;
    await assert.rejects(link.send(new Uint8Array(132)), LinkError);
  },
  async anUnreachableTagIsALinkError() {
    const device = new FakeDevice();
    device.isReachable = false;
    await assert.rejects(new WebLink(device).connect(), LinkError);
  },
  async anOverrunIsSaidAndBounded() {
    const { device, link } = await linked();
    for (let count = 0; count < 9000; count += 1) device.notify(device.bulk, 0x12, 1);
    assert.equal(link.inbox.length, 8192);
    await assert.rejects(link.receive(1), LinkError);
    await link.connect();
    assert.equal(await link.receive(1), null);
  },
  async aLostPartIsAsIfTheAnswerHadNotCome() {
    const { device, link } = await linked();
    device.notify(device.control, 0x81, 3);
    assert.equal(await link.receive(5), null);
    device.notify(device.control, 0x80, 4);
    assert.deepEqual(contents(await link.receive(5)), [false, 4]);
  },
};

for (const [name, check] of Object.entries(CHECKS)) {
  await check();
  process.stdout.write(`ok ${name}\n`);
}
process.stdout.write(`checks ${Object.keys(CHECKS).length}\n`);
