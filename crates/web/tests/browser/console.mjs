// The console in a browser.

import assert from "node:assert/strict";

import { NARROW, WIDE } from "./browser.mjs";

const looks = [
  ["light", WIDE, "light"], ["dark", WIDE, "dark"], ["narrow", NARROW, "light"], ["narrow-dark", NARROW, "dark"],
];

/** A page; the one that watches is never idle. */
async function open(at, where) {
  const response = await at.page.goto(at.address + where, { waitUntil: "load" });
  assert.equal(response.status(), 200, where);
}

async function logIn(at, facts, next = "/console") {
  await open(at, `/console/login?next=${encodeURIComponent(next)}`);
  await at.page.fill("#token", facts.token);
  await at.page.keyboard.press("Enter");
  await at.page.waitForURL(at.address + next);
}

export async function looks_right(visit, facts) {
  const pages = {
    overview: "/console", tpps: "/console/tpps", paused: "/console/tpps?state=paused", tpp: "/console/tpps/paused-tpp",
    failing: "/console/tpps/failing-tpp", confirm: "/console/tpps/failing-tpp/queue-failed-again", events: "/console/events",
    event: `/console/events/${facts.failed}`, audit: "/console/audit", keys: "/console/keys", types: "/console/event-types",
  };
  for (const [look, size, scheme] of looks) {
    await visit({ size, scheme }, async (at) => {
      await open(at, "/console/login");
      await at.fits();
      await at.accessible();
      await at.picture(`console-login-${look}`);
      await logIn(at, facts);
      for (const [name, where] of Object.entries(pages)) {
        await open(at, where);
        await at.fits();
        await at.picture(`console-${name}-${look}`);
        await at.page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
        await at.accessible();
        await at.fits();
      }
    });
  }
}

export async function keyboard(visit, facts) {
  await visit({}, async (at) => {
    const enter = () => at.page.keyboard.press("Enter");
    await open(at, "/console");
    // The field has the focus: type, and be in.
    await at.page.keyboard.insertText(facts.token);
    await enter();
    await at.page.waitForURL("**/console");
    await at.page.keyboard.press("Tab");
    assert.equal(await at.focused(), "Skip to the content");
    await at.tabTo("#find");
    await at.page.keyboard.insertText("paused-tpp");
    await enter();
    await at.page.waitForURL("**/console/tpps/paused-tpp");
    await at.page.getByText("An operator paused", { exact: false }).or(at.page.getByText("paused")).first().waitFor();
    await at.tabTo("section.causes a.button");
    assert.equal(await at.focused(), "Resume pushes…");
    await enter();
    await at.page.waitForURL("**/resume");
    await at.tabTo("main button[type=submit]");
    const outline = await at.page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none", "the focus can be seen");
    await enter();
    await at.page.waitForURL("**/console/tpps/paused-tpp?done=resume");
    await at.page.getByText("Done: its endpoint is tried again.").waitFor();
    await open(at, "/console/events");
    await at.tabTo("select[name=state]");
    await at.page.keyboard.press("f");
    await at.tabTo("form.filter button");
    await enter();
    await at.page.waitForURL("**state=failed**");
    assert.equal(await at.page.locator("tbody tr").count(), 1);
    await at.tabTo("tbody th a");
    await enter();
    await at.page.waitForURL(`**/console/events/${facts.failed}`);
    await at.page.getByText("<b>no</b>").first().waitFor();
    await at.tabTo(".who button");
    await enter();
    await at.page.waitForURL("**/console/login");
  });
}

export async function live(visit, facts) {
  await visit({}, async (at) => {
    await logIn(at, facts);
    await at.page.getByText("Live:").waitFor();
    const accepted = at.page.locator("[aria-label^='Accepted: 6 in the last hour']");
    await accepted.waitFor();
    const item = {
      tpp: "failing-tpp", resource: { type: "account-access-consent", id: "consent-live" },
      events: [{ type: "UK.OBIE.Resource-Update" }],
    };
    // By somebody else, while the page is only looked at.
    const answer = await fetch(`${at.address}/v1/events`, {
      method: "POST", body: JSON.stringify(item),
      headers: { authorization: `Bearer ${facts.publisher}`, "content-type": "application/json" },
    });
    assert.equal(answer.status, 200);
    await at.page.locator("[aria-label^='Accepted: 7 in the last hour']").waitFor();
  });
}
