// SPDX-License-Identifier: MIT
/** Prints what a module of the page exports, as JSON; functions and classes as "function". */

const module = await import(`../../host_tools/sealtrail/phone/static/${process.argv[2]}`);
const plain = (_key, value) => (typeof value === "function" ? "function" : value);
process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(module)), plain));
