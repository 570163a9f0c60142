// Receives what `oyez listen` and `oyez poll` hand over by HTTP, and believes neither the post nor the SET in it before it has
// checked them. The post is signed as Standard Webhooks has it; the SET is the bank's own signed word.
//
//     npm install jose                     # to check SETs too, as the second line does
//     node receive.mjs --secret-file webhook.secret
//     node receive.mjs --secret-file webhook.secret --jwks bank.jwks --issuer https://hedgebank.example --audience CLIENT_ID
//
// In tpp.toml:
//
//     [hand_over]
//     to = "http"
//     url = "http://127.0.0.1:8000/events"
//     secret_file = "webhook.secret"       # echo whsec_$(openssl rand -base64 32) > webhook.secret

import { createHmac, timingSafeEqual, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const TOLERANCE_S = 300;
const BODY_BYTES_MAX = 1 << 20;
// What the header of a SET may call critical: members that we know of, none of which we need.
const UNDERSTOOD = ["iat", "iss", "tan"].map((name) => [`http://openbanking.org.uk/${name}`, true]);

/** Standard Webhooks: HMAC-SHA256 over id, timestamp and body. */
function checkPost(secret, headers, body) {
  const [id, at] = [headers["webhook-id"], headers["webhook-timestamp"]];
  if (!id || !(Math.abs(Date.now() / 1000 - Number(at)) <= TOLERANCE_S)) throw new Error("it is too old, or says no id and time");
  const expected = createHmac("sha256", secret).update(`${id}.${at}.`).update(body).digest();
  const given = (headers["webhook-signature"] ?? "").split(" ").filter((one) => one.startsWith("v1,"));
  const isOurs = (one) => {
    const bytes = Buffer.from(one.slice(3), "base64");
    return bytes.length === expected.length && timingSafeEqual(bytes, expected);
  };
  if (!given.some(isOurs)) throw new Error("its signature is not ours");
}

/** The bank's signature (T-07) and whom it is from and for; answers the claims. */
async function setChecker({ jwks, issuer, audience }) {
  globalThis.crypto ??= webcrypto; // Node 18 has it under another name
  const { compactVerify, createLocalJWKSet } = await import("jose");
  const keys = createLocalJWKSet(JSON.parse(readFileSync(jwks, "utf8")));
  return async (token) => {
    const options = { algorithms: ["PS256", "ES256"], crit: Object.fromEntries(UNDERSTOOD) };
    const { payload } = await compactVerify(token, keys, options);
    const claims = JSON.parse(new TextDecoder().decode(payload));
    if (claims.iss !== issuer || claims.aud !== audience) throw new Error("it is of another bank, or for somebody else");
    return claims;
  };
}

async function bodyOf(request) {
  const parts = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) throw new Error("it is too long");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const option = { type: "string" };
const options = { "secret-file": option, port: { ...option, default: "8000" }, jwks: option, issuer: option, audience: option };
const { values } = parseArgs({ options });
const secret = Buffer.from(readFileSync(values["secret-file"], "utf8").trim().replace(/^whsec_/, ""), "base64");
const judge = values.jwks ? await setChecker(values) : undefined;

const server = createServer(async (request, response) => {
  try {
    const body = await bodyOf(request);
    checkPost(secret, request.headers, body);
    const event = JSON.parse(body);
    const claims = judge ? await judge(event.set) : event.claims;
    // Here an application writes the event where it is safe: the bank forgets it after our answer. Its jti is a good unique
    // key; where `maybe_repeated` is true it may be there already.
    const { bank, jti, via, maybe_repeated } = event;
    console.log(JSON.stringify({ bank, jti, via, maybe_repeated, events: Object.keys(claims.events) }));
    response.writeHead(204).end();
  } catch (error) {
    // Whatever it is, it is not to be believed.
    console.log(JSON.stringify({ refused: error.message }));
    response.writeHead(401).end();
  }
});
server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(JSON.stringify({ listening: `http://127.0.0.1:${server.address().port}/events` }));
});
