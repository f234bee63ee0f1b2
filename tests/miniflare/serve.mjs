// Serves a Worker with a KV namespace on 127.0.0.1 until its standard input closes: it ends with the
// process that started it. Prints its address as one line.
//
//   node serve.mjs WORKER.js [SECRET]

import { readFileSync } from "node:fs";
import { Miniflare } from "miniflare";

const [script, secret] = process.argv.slice(2);
const miniflare = new Miniflare({
  modules: true,
  script: readFileSync(script, "utf8"),
  compatibilityDate: "2026-04-01",
  kvNamespaces: { KV: "kv" },
  bindings: secret ? { BRIDGE_SECRET: secret } : {},
  // The namespace in the REST form, under /cdn-cgi/explorer/api.
  unsafeLocalExplorer: true,
  host: "127.0.0.1",
  port: 0,
  cf: false,
  logRequests: false,
});

process.stdin.on("close", () => process.exit(0)).resume();

console.log((await miniflare.ready).href);
