// Verifies our tokens, and signs tokens for us, with jose. One JSON document in, one out; see ../interop.rs.
// usage: node jose_peer.mjs NODE_MODULES

import { webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { isDeepStrictEqual, TextDecoder, TextEncoder } from "node:util";
import { pathToFileURL } from "node:url";

globalThis.crypto ??= webcrypto; // Node 18 has it under another name
const require = createRequire(join(process.argv[2], "anchor.cjs"));
const jose = await import(pathToFileURL(require.resolve("jose")).href);

const bytes = (text) => new TextEncoder().encode(text);
const text = (array) => new TextDecoder().decode(array);

let input = "";
for await (const chunk of process.stdin) input += chunk;
const request = JSON.parse(input);

// Every private member registered: critical, and inside the protected header.
const crit = Object.fromEntries(request.critical.map((name) => [name, true]));
const keys = {};
for (const [kid, jwk] of Object.entries(request.keys)) {
  const { d, p, q, dp, dq, qi, ...open } = jwk;
  const alg = jwk.kty === "RSA" ? "PS256" : "ES256";
  keys[kid] = { public: await jose.importJWK(open, alg), private: await jose.importJWK(jwk, alg) };
}

async function verify(item) {
  const [header, payload, signature] = item.token.split(".");
  const form = item.form === "encoded" ? jose.base64url.encode(item.payload) : item.payload;
  const jws = { protected: header, payload: item.form === "compact" ? payload : form, signature };
  const options = { crit, algorithms: ["PS256", "ES256"] };
  const verified =
    item.form === "compact"
      ? await jose.compactVerify(item.token, keys[item.key].public, options)
      : await jose.flattenedVerify(jws, keys[item.key].public, options);
  if (text(verified.payload) !== item.payload) throw new Error("another payload");
  if (!isDeepStrictEqual(verified.protectedHeader, item.header)) throw new Error("another header");
  return null;
}

async function sign(item) {
  const key = keys[item.key].private;
  if (item.form === "compact") {
    const signer = new jose.CompactSign(bytes(item.payload)).setProtectedHeader(item.header);
    return signer.sign(key, { crit });
  }
  const signer = new jose.FlattenedSign(bytes(item.payload)).setProtectedHeader(item.header);
  const jws = await signer.sign(key, { crit });
  return `${jws.protected}..${jws.signature}`;
}

async function attempt(work, item) {
  try {
    return { ok: await work(item) };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

const verified = [];
for (const item of request.verify) verified.push(await attempt(verify, item));
const signed = [];
for (const item of request.sign) signed.push(await attempt(sign, item));
process.stdout.write(JSON.stringify({ verified, signed }));
