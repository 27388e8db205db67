// SPDX-License-Identifier: MIT
/** Loads the named modules of the page; fails where one cannot be. */

for (const name of process.argv.slice(2)) {
  await import(`../../host_tools/sealtrail/phone/static/${name}`);
}
