// SPDX-License-Identifier: MIT
/** A process that answers each line with one line. */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Asks it, one line at a time. */
export class LineProcess {
  /** @param {string[]} command program and arguments */
  constructor([program, ...args]) {
    this.child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.waiting = [];
    const lines = createInterface({ input: this.child.stdout });
    lines.on("line", (line) => this.waiting.shift()?.resolve(line));
    this.child.on("exit", (code) => {
      for (const one of this.waiting.splice(0)) one.reject(new Error(`the tag ended: ${code}`));
    });
  }

  /** The answer to *line*. */
  ask(line) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.child.stdin.write(`${line}\n`);
    });
  }

  /** Ends the input: the process ends by itself. */
  end() {
    this.child.stdin.end();
  }
}
