// SPDX-License-Identifier: Apache-2.0
// The smallest test runner that speaks TAP: one after the other, a failure is told and the next one runs.
const tests = [];
let failed = 0;

export const test = (name, fn) => tests.push({ name, fn });

export async function run() {
  console.log(`TAP version 13\n1..${tests.length}`);
  for (const [i, { name, fn }] of tests.entries()) {
    try {
      await fn();
      console.log(`ok ${i + 1} - ${name}`);
    } catch (err) {
      failed += 1;
      console.log(`not ok ${i + 1} - ${name}`);
      console.log(String(err.stack ?? err).replace(/^/gm, '# '));
    }
  }
  return failed;
}
