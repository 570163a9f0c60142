// A case in a browser, without a window:
//   node run.mjs SCRIPT CASE ADDRESS
// SCRIPT is a file beside this one and exports a function per case; BROWSER_MODULES and SCREENSHOTS name directories.
// Facts for the case come as JSON on standard input.

import { readFileSync } from "node:fs";

import { launch, visit } from "./browser.mjs";

const [, , script, name, address] = process.argv;
const cases = await import(`./${script}`);
const facts = JSON.parse(readFileSync(0, "utf8"));
const browser = await launch();
try {
  await cases[name]((options, run) => visit(browser, address, options, run), facts);
} finally {
  await browser.close();
}
