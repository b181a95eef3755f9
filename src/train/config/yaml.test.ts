import { array, assert, constantFrom, property } from "fast-check";
import { expect, test } from "vitest";
import { UserError } from "../../errors.js";
import { parseYaml } from "./yaml.js";

const failure = (text: string): string => {
  try {
    parseYaml(text, "c.yaml");
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(UserError);
    return (thrown as Error).message;
  }
  return "nothing was thrown";
};

const laughs = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"];
for (let i = 1; i < 10; i++)
  laughs.push(
    `a${i}: &a${i} [${Array(10)
      .fill(`*a${i - 1}`)
      .join(", ")}]`,
  );

test.each([
  ["an alias without an anchor", "data:\n  kind: *x\n", "c.yaml:2:9 the alias *x has no anchor &x before it"],
  ["an alias before its anchor", "a: *x\nb: &x 1\n", "c.yaml:1:4 the alias *x has no anchor &x before it"],
  ["an alias of itself", "a: &x\n  b: [*x]\n", "c.yaml:2:7 the alias *x stands inside of what it refers to"],
  ["an alias for a name", "&x {*x : 1}", "c.yaml:1:5 is no name of a field, which is a word"],
  ["a list for a name", "a:\n  ? [b]\n  : 1\n", "c.yaml:2:5 is no name of a field, which is a word"],
  [
    "a billion laughs",
    laughs.join("\n"),
    /^c\.yaml:\d+:\d+ stands for more than 10000 values once its aliases are resolved$/,
  ],
  ["brackets without end", `a:\n  ${"[".repeat(100_000)}`, "c.yaml:2 is nested more than 64 deep"],
  ["maps in maps", `a: ${"{b: ".repeat(60_000)}`, "c.yaml:1 is nested more than 64 deep"],
  ["lists on one line", "- ".repeat(10_000), /^c\.yaml:1 (is indented by more than 256 columns|goes on after)/],
  [
    "sections in sections",
    Array.from({ length: 400 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
    "c.yaml:258 is indented by more than 256 columns",
  ],
  [
    "many empty maps",
    `\n${"{}".repeat(100_000)}`,
    "c.yaml:2 goes on after 10000 words and marks, which no configuration has",
  ],
  ["a huge text", "#".repeat(300_000), "c.yaml: it has 300000 characters; a configuration has at most 262144"],
  [
    "a name without end",
    `${"k".repeat(500)}: 1`,
    "c.yaml:1:1 is a name of more than 100 characters, which no field has",
  ],
  ["many errors", "a: }\n".repeat(40), /^(c\.yaml:\d+:\d+ [^\n]+\n){5}and \d+ more$/],
] as const)("%s is refused at once, with its place", (_, text, message) => {
  const found = failure(text);
  if (typeof message === "string") expect(found).toBe(message);
  else expect(found).toMatch(message);
});

test("aliases of closed anchors are what they refer to", () => {
  const { value } = parseYaml("a: &x { b: [1, 2] }\nc: *x\nd: [*x, *x]\ne: &x 3\nf: *x\n", "c.yaml");
  const a = { b: [1, 2] };
  expect(value).toEqual({ a, c: a, d: [a, a], e: 3, f: 3 });
});

test("any row of anchors, aliases, brackets and lines gives a value or one UserError", () => {
  const part = constantFrom(
    "&a ",
    "*a ",
    "&b ",
    "*b",
    "[",
    "]",
    "{",
    "}",
    ": ",
    ", ",
    "\n",
    "- ",
    "? ",
    "x",
    "<<",
    "!!set ",
  );
  assert(
    property(array(part, { maxLength: 40 }), (parts) => {
      const found = failure(parts.join(""));
      expect(found.split("\n").length).toBeLessThanOrEqual(6);
    }),
    { numRuns: 2000 },
  );
});
