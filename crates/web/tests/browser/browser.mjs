// A browser for tests: Chromium that notices what a page must not do.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.BROWSER_MODULES, "x.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--no-default-browser-check", "--force-color-profile=srgb",
];
export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 390, height: 844 };

/** A page of the address, which must stay quiet and at home; what it did wrong fails the case at its end. */
export class Visit {
  constructor(page, address, wrongs) {
    Object.assign(this, { page, address, wrongs });
  }

  async open(where) {
    const response = await this.page.goto(this.address + where, { waitUntil: "networkidle" });
    return response;
  }

  /** Keeps a picture of the whole page for people to look at. */
  async picture(name) {
    await this.page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`), fullPage: true });
  }

  /** Nothing is seriously hard for those who see, hear or move otherwise. */
  async accessible() {
    await this.page.evaluate(axe);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    const told = serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
    assert.deepEqual(told, [], "axe-core");
  }

  /** The page itself does not scroll sideways; what is wide scrolls inside. */
  async fits() {
    const [wide, seen] = await this.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= seen, `the page is ${wide} wide, and ${seen} are seen`);
  }

  /** The accessible text of what has the focus. */
  async focused() {
    return this.page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.id);
  }

  /** Presses Tab until this has the focus. */
  async tabTo(selector, most = 400) {
    for (let presses = 0; presses < most; presses += 1) {
      await this.page.keyboard.press("Tab");
      if (await this.page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
    }
    assert.fail(`${selector} is not reached by Tab`);
  }
}

/** Runs something in a fresh browser context: its size, its scheme. */
export async function visit(browser, address, { size = WIDE, scheme = "light", expects = [] } = {}, run) {
  const context = await browser.newContext({
    viewport: size, colorScheme: scheme, ignoreHTTPSErrors: true, reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  const wrongs = [];
  const wrong = (text) => { if (!expects.some((expected) => text.includes(expected))) wrongs.push(text); };
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) wrong(message.text()); });
  page.on("pageerror", (error) => wrong(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(address) && !request.url().startsWith("data:")) wrong(`asked ${request.url()}`);
  });
  await run(new Visit(page, address, wrongs));
  await context.close();
  assert.deepEqual(wrongs, [], "the page was not quiet");
}

/** The browser, with nothing of anybody's in it. */
export function launch() {
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
}
