#!/usr/bin/env node
// One benchmark a question: `npm run bench -- step`. Each prints a table; rounds of what is compared alternate.
import { readdirSync } from "node:fs";

const names = readdirSync(new URL(".", import.meta.url))
  .filter((file) => file.endsWith(".bench.mjs"))
  .map((file) => file.replace(".bench.mjs", ""));
const [name, ...rest] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`bench: ${name ? `there is no benchmark ${name}` : "name a benchmark"}; there is ${names.join(", ")}`);
  process.exit(2);
}
const { run } = await import(`./${name}.bench.mjs`);
await run(rest);
