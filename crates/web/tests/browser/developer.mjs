// The developer pages in a browser.

import assert from "node:assert/strict";

import { NARROW, WIDE } from "./browser.mjs";

const looks = [
  ["light", WIDE, "light"], ["dark", WIDE, "dark"], ["narrow", NARROW, "light"], ["narrow-dark", NARROW, "dark"],
];

export async function looks_right(visit) {
  for (const [name, size, scheme] of looks) {
    await visit({ size, scheme }, async (at) => {
      assert.equal((await at.open("/developer")).status(), 200);
      await at.fits();
      await at.picture(`developer-${name}`);
      await at.page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
      await at.accessible();
      await at.fits();
    });
  }
}

export async function keyboard(visit) {
  await visit({}, async (at) => {
    await at.open("/developer");
    await at.page.keyboard.press("Tab");
    assert.equal(await at.focused(), "Skip to the content");
    await at.page.keyboard.press("Enter");
    assert.equal(await at.page.evaluate(() => document.activeElement.id), "main");
    // The next stop is inside: the links of the frame are skipped.
    await at.page.keyboard.press("Tab");
    assert.ok(await at.page.evaluate(() => document.getElementById("main").contains(document.activeElement)));

    await at.tabTo("button.copy");
    const copied = await at.page.evaluate(() => document.activeElement.parentElement.querySelector("code").textContent);
    const outline = await at.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none", "the focus can be seen");
    await at.page.keyboard.press("Enter");
    await at.page.waitForFunction(() => document.activeElement.textContent.startsWith("Copied"));
    assert.equal(await at.page.evaluate(() => navigator.clipboard.readText()), copied);

    await at.tabTo("#check-set");
    await at.page.keyboard.insertText("not.a-token");
    await at.tabTo("#check-form button[type=submit]");
    await at.page.keyboard.press("Enter");
    await at.page.getByText("a SET has three parts").waitFor();
  });
}

/** What the box says of a token. */
async function said(at, token, aud = "") {
  await at.page.fill("#check-set", token);
  await at.page.fill("#check-aud", aud);
  await at.page.click("#check-form button[type=submit]");
  await at.page.waitForFunction((dots) => document.getElementById("check-result").textContent !== "" && dots, true);
  const text = await at.page.evaluate(async () => {
    // The verdict is written at once; wait for the one of this press.
    await new Promise((done) => { setTimeout(done, 0); });
    return document.getElementById("check-result").innerText;
  });
  await at.page.evaluate(() => document.getElementById("check-result").replaceChildren());
  return text;
}

const believed = "This SET is to be believed.";

export async function paste_box(visit, facts) {
  await visit({}, async (at) => {
    await at.open("/developer");
    const asked = [];
    at.page.on("request", (request) => asked.push(request.url()));
    const samples = await at.page.$$eval("[id^=sample-event-]", (all) => all.map((one) => one.textContent));
    assert.equal(samples.length, facts.types);
    for (const sample of samples) {
      const words = await said(at, sample, "sample-client");
      assert.ok(words.includes(believed), words);
      assert.ok(words.includes("this is the sample of this page"), words);
    }
    const [header, claims, signature] = samples[0].split(".");
    const coded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const decoded = (part) => JSON.parse(Buffer.from(part, "base64url"));
    const changed = (part, change) => coded({ ...decoded(part), ...change });
    for (const [token, aud, reason] of [
      [`${header}.${changed(claims, { aud: "me" })}.${signature}`, "", "the signature is wrong"],
      [`${changed(header, { alg: "none" })}.${claims}.`, "", "above all \"none\""],
      [`${changed(header, { kid: "other" })}.${claims}.${signature}`, "", "publishes no key with the kid \"other\""],
      [`${changed(header, { crit: ["exp"] })}.${claims}.${signature}`, "", "crit must name"],
      [`${changed(header, { typ: "x" })}.${claims}.${signature}`, "", "typ is \"x\""],
      [`${header}.${changed(claims, { exp: 1 })}.${signature}`, "", "there is an exp"],
      [samples[0], "somebody-else", "you typed \"somebody-else\""],
      [`${header}.${claims}`, "", "this has 2"],
      [`${header}.${claims}.!!`, "", "it is not base64url"],
      ["..", "", "the header cannot be read"],
      ["<img src=x onerror=alert(1)>.b.c", "", "cannot be read"],
    ]) {
      const words = await said(at, token, aud);
      assert.ok(words.includes("not to be believed") && words.includes(reason), `${reason}: ${words}`);
    }
    assert.deepEqual(asked.filter((url) => !url.endsWith("/jwks")), [], "nothing leaves the page but the request for keys");
    await at.page.locator("button[data-sample]", { hasText: "Take a sample" }).click();
    await at.page.click("#check-form button[type=submit]");
    await at.page.getByText(believed).waitFor();
    await at.picture("developer-checked");
  });
}

export async function status(visit, facts) {
  for (const [name, size, scheme] of looks) {
    // The page itself is a refusal until there is a token.
    await visit({ size, scheme, expects: ["401"] }, async (at) => {
      assert.equal((await at.open("/developer/status")).status(), 401);
      await at.accessible();
      await at.tabTo("#status-token");
      await at.page.keyboard.insertText("wrong");
      await at.page.keyboard.press("Enter");
      await at.page.locator("#status-result #refused").waitFor();
      await at.page.fill("#status-token", facts.token);
      await at.page.click("#status-form button[type=submit]");
      await at.page.getByText("Why events do not arrive").waitFor();
      assert.ok((await at.page.innerText("#status-result")).includes("nobody polls"));
      await at.accessible();
      await at.fits();
      await at.picture(`status-${name}`);
    });
  }
}
