// The paste box: checks a SET with the browser's own cryptography. Nothing leaves the page but the request for the bank's keys.
"use strict";

const form = document.getElementById("check-form");
const result = document.getElementById("check-result");
const bank = form.dataset;
const privateClaims = ["http://openbanking.org.uk/iat", "http://openbanking.org.uk/iss", "http://openbanking.org.uk/tan"];

const algorithms = {
  PS256: { key: { name: "RSA-PSS", hash: "SHA-256" }, verify: { name: "RSA-PSS", saltLength: 32 } },
  ES256: { key: { name: "ECDSA", namedCurve: "P-256" }, verify: { name: "ECDSA", hash: "SHA-256" } },
};

function bytesOf(part) {
  if (!/^[A-Za-z0-9_-]*$/.test(part) || part.length % 4 === 1) throw new Error("it is not base64url");
  const text = atob(part.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function objectOf(part) {
  const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytesOf(part)));
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("it is not a JSON object");
  return value;
}

const moment = (seconds) => Number.isInteger(seconds) && Math.abs(seconds) < 1e11 ? new Date(seconds * 1000).toISOString() : "no moment";

// What each profile of headers looks like; the private members are critical in the standard's alone.
const profiles = {
  JOSE: "openbanking",
  JWT: "jwt",
  "secevent+jwt": "rfc8417",
};

function checkHeader(header, say) {
  const profile = profiles[header.typ];
  say(profile !== undefined, `typ is ${JSON.stringify(header.typ)}: ` + (profile === undefined
    ? "this bank writes \"JOSE\", or \"JWT\" or \"secevent+jwt\" for TPPs that asked for it."
    : profile === bank.profile ? "the profile that this bank signs by." : `the profile "${profile}", which this bank has for TPPs that asked for it.`));
  say(header.alg in algorithms, `alg is ${JSON.stringify(header.alg)}: ` + (header.alg in algorithms
    ? "one that the standard allows." : "only PS256 and ES256 are acceptable. Refuse everything else, above all \"none\"."));
  const crit = header.crit ?? [];
  const known = Array.isArray(crit) && crit.every((name) => privateClaims.includes(name) && name in header);
  if (profile === "openbanking") {
    const whole = known && privateClaims.every((name) => crit.includes(name));
    say(whole, whole ? "crit names the three members of Open Banking, and they are there." : "crit must name the three members of Open Banking (iat, iss, tan), and each must be there.");
    const iss = header["http://openbanking.org.uk/iss"];
    say(iss === bank.org, `the signatory is ${JSON.stringify(iss)}` + (iss === bank.org ? ", this bank." : `, and this bank is ${JSON.stringify(bank.org)}.`));
    const tan = header["http://openbanking.org.uk/tan"];
    say(tan === bank.tan, `the trust anchor (tan) is ${JSON.stringify(tan)}` + (tan === bank.tan ? ", as this bank writes it." : `, and this bank writes ${JSON.stringify(bank.tan)}.`));
  } else {
    say(!("crit" in header) || (known && crit.length > 0), "crit" in header ? "crit names members; all must be understood." : "there is no crit: nothing in the header is critical.");
  }
  say(!("b64" in header), "b64" in header ? "b64 must not stand in a token." : "there is no b64, as it should be in a token.");
}

function checkClaims(claims, aud, say) {
  say(claims.iss === bank.iss, `iss is ${JSON.stringify(claims.iss)}` + (claims.iss === bank.iss ? ", this bank." : `, and this bank is ${JSON.stringify(bank.iss)}.`));
  if (aud) {
    say(claims.aud === aud, `aud is ${JSON.stringify(claims.aud)}` + (claims.aud === aud ? ", as you typed." : `, and you typed ${JSON.stringify(aud)}.`));
  } else {
    say(undefined, `aud is ${JSON.stringify(claims.aud)}: compare it with your client_id, or type that above.`);
  }
  say(!("exp" in claims), "exp" in claims ? "there is an exp, which a SET must not have." : "there is no exp: an event does not become untrue.");
  const iat = Number.isInteger(claims.iat) && claims.iat <= Date.now() / 1000 + 60;
  say(iat, `iat is ${moment(claims.iat)}` + (iat ? "." : ": it must be a moment that has been."));
  say(typeof claims.jti === "string" && claims.jti !== "", `jti is ${JSON.stringify(claims.jti)}: take each only once.`);
  say(Number.isInteger(claims.toe), `toe is ${moment(claims.toe)}: when it happened.`);
  say(typeof claims.txn === "string", `txn is ${JSON.stringify(claims.txn)}.`);
  say(typeof claims.sub === "string", `sub is ${JSON.stringify(claims.sub)}.`);
  const events = claims.events !== null && typeof claims.events === "object" ? Object.keys(claims.events) : [];
  say(events.length > 0, events.length > 0 ? `events: ${events.join(", ")}.` : "there must be at least one event.");
  if (typeof claims.jti === "string" && claims.jti.startsWith(bank.sample)) say(undefined, "this is the sample of this page: nothing happened.");
}

async function checkSignature(header, parts, say) {
  if (!(header.alg in algorithms)) return say(false, "the signature cannot be checked with that alg.");
  const response = await fetch(bank.jwks, { credentials: "omit" });
  if (!response.ok) return say(false, `the bank's keys could not be fetched: ${response.status}.`);
  const jwk = (await response.json()).keys.find((key) => key.kid === header.kid);
  if (jwk === undefined) return say(false, `the bank publishes no key with the kid ${JSON.stringify(header.kid)}. It signed long ago, or not at all.`);
  if (jwk.alg !== undefined && jwk.alg !== header.alg) return say(false, `the key ${JSON.stringify(header.kid)} is for ${jwk.alg}, and alg says ${header.alg}.`);
  const { key, verify } = algorithms[header.alg];
  const { kty, n, e, crv, x, y } = jwk;
  const bare = Object.fromEntries(Object.entries({ kty, n, e, crv, x, y }).filter(([, value]) => value !== undefined));
  const imported = await crypto.subtle.importKey("jwk", bare, key, false, ["verify"]);
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  const holds = await crypto.subtle.verify(verify, imported, bytesOf(parts[2]), signed);
  say(holds, holds ? `the signature is right, by the bank's key ${JSON.stringify(header.kid)}.`
    : `the signature is wrong: header or claims are not what the key ${JSON.stringify(header.kid)} signed.`);
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function check(text, aud) {
  const list = document.createElement("ul");
  list.className = "checks";
  let wrong = 0;
  const say = (holds, words) => {
    const line = document.createElement("li");
    const [word, colour] = holds === undefined ? ["Note", ""] : holds ? ["Right", "good"] : ["Wrong", "bad"];
    if (holds === false) wrong += 1;
    line.append(element("b", word, colour), words);
    list.append(line);
  };
  const shown = [];
  const parts = text.split(".");
  if (parts.length !== 3) {
    say(false, `a SET has three parts with dots between; this has ${parts.length}.`);
    return { wrong, list, shown };
  }
  const read = (name, part) => {
    try {
      const value = objectOf(part);
      shown.push([name, JSON.stringify(value, null, 2)]);
      return value;
    } catch (error) {
      say(false, `the ${name.toLowerCase()} cannot be read: ${error.message}.`);
      return undefined;
    }
  };
  const header = read("Header", parts[0]);
  const claims = read("Claims", parts[1]);
  try {
    if (header) await checkSignature(header, parts, say);
  } catch (error) {
    say(false, `the signature cannot be checked: ${error.message}.`);
  }
  if (header) checkHeader(header, say);
  if (claims) checkClaims(claims, aud, say);
  return { wrong, list, shown };
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = form.elements.set.value.replaceAll(/\s/g, "");
  const { wrong, list, shown } = await check(text, form.elements.aud.value.trim());
  const verdict = wrong === 0 ? "This SET is to be believed." : `This SET is not to be believed: ${wrong} ${wrong === 1 ? "check" : "checks"} failed.`;
  const heading = element("p", "", wrong === 0 ? "good" : "bad");
  heading.append(element("strong", verdict));
  const decoded = shown.flatMap(([name, json]) => {
    const pre = element("pre", json, "wrapped");
    pre.tabIndex = 0;
    pre.setAttribute("role", "group");
    pre.setAttribute("aria-label", name);
    return [element("h4", name), pre];
  });
  result.replaceChildren(heading, list, ...decoded);
});

for (const button of document.querySelectorAll("button[data-sample]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    form.elements.set.value = document.getElementById(button.dataset.sample).textContent.trim();
    form.elements.set.focus();
  });
}
document.getElementById("check-box").hidden = false;
