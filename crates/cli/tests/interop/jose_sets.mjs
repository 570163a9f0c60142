// Judges SETs with jose, against the bank's published key set. One JSON document in, one out; see ../cli/tpp/interop.
// usage: node jose_sets.mjs NODE_MODULES

import { webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

globalThis.crypto ??= webcrypto; // Node 18 has it under another name
const require = createRequire(join(process.argv[2], "anchor.cjs"));
const jose = await import(pathToFileURL(require.resolve("jose")).href);

let input = "";
for await (const chunk of process.stdin) input += chunk;
const request = JSON.parse(input);
const keys = jose.createLocalJWKSet(request.keys);
const crit = Object.fromEntries(request.critical.map((name) => [name, true]));

async function attempt(text) {
  try {
    const verified = await jose.compactVerify(text, keys, { crit, algorithms: ["PS256", "ES256"] });
    return { ok: JSON.parse(new TextDecoder().decode(verified.payload)) };
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
}

const judged = [];
for (const text of request.sets) judged.push(await attempt(text));
process.stdout.write(JSON.stringify(judged));
