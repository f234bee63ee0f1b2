// Serves a Worker with a KV namespace on 127.0.0.1 until its standard input closes: it ends with the
// process that started it. Prints its address as one line.
//
//   node serve.mjs SCRIPT [BINDINGS]
//
// The script is a module; those beside it in its folder are its own to import. The bindings are its variables, as JSON.

import { readdirSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { Miniflare } from "miniflare";

const [script, bindings = "{}"] = process.argv.slice(2);
const folder = dirname(resolve(script));
const types = { ".js": "ESModule", ".wasm": "CompiledWasm" };
// The script comes first: that is the one to be run.
const isOther = (file) => extname(file) in types && file !== basename(script);
const files = [basename(script), ...readdirSync(folder, { recursive: true }).filter(isOther)];

const miniflare = new Miniflare({
  modules: files.map((file) => ({ type: types[extname(file)], path: join(folder, file) })),
  modulesRoot: folder,
  compatibilityDate: "2026-04-01",
  kvNamespaces: { KV: "kv" },
  bindings: JSON.parse(bindings),
  // The namespace in the REST form, under /cdn-cgi/explorer/api.
  unsafeLocalExplorer: true,
  host: "127.0.0.1",
  port: 0,
  cf: false,
  logRequests: false,
});

process.stdin.on("close", () => process.exit(0)).resume();

console.log((await miniflare.ready).href);
