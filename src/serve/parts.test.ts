import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batchSizes, fillSizes } from "../train/sizes.js";
import { kindFor } from "./answer.js";
import { Histogram, ServerMetrics } from "./metrics.js";
import { nameAndPath } from "./names.js";
import { joinSteps, thin } from "./runs.js";

describe("batch sizes", () => {
  const most = fc.integer({ min: 1, max: 200 });

  test("fill every number of samples, padding only the last and less than half of it", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), most, (n, largest) => {
        const sizes = batchSizes(largest);
        const parts = fillSizes(n, sizes);
        expect(parts.every((part) => sizes.includes(part))).toBe(true);
        const padding = parts.reduce((sum, part) => sum + part, 0) - n;
        expect(padding).toBeGreaterThanOrEqual(0);
        expect(padding).toBeLessThan(Math.max(1, parts.at(-1)! / 2));
      }),
    ));

  test.each([
    [1, [1]],
    [2, [1, 1]],
    [3, [4]],
    [9, [16]],
    [24, [16, 4, 4]],
    [40, [64]],
    [65, [64, 1]],
  ])("%i samples are %j", (n, parts) => expect(fillSizes(n, batchSizes(64))).toEqual(parts));
});

test.each([
  [undefined, 1, "image/png"],
  ["*/*", 2, "application/json"],
  ["text/html, image/*;q=0.8", 4, "image/png"],
  ["application/json;q=0.5, application/octet-stream", 1, "application/octet-stream"],
  ["image/png;q=0, application/json", 1, "application/json"],
])("Accept %s with %i images gets %s", (accept, count, kind) => expect(kindFor(accept, count)).toBe(kind));

test("Accept that allows nothing we have is refused with what there is", () => {
  expect(() => kindFor("text/html", 1)).toThrow(
    "Accept is text/html; it must allow one of image/png, application/json, application/octet-stream, text/event-stream",
  );
});

test("models have the name of their folder or one of their own", () => {
  expect(nameAndPath("runs/quickstart/")).toEqual({ name: "quickstart", path: "runs/quickstart/" });
  expect(nameAndPath("digits=/a=b/c")).toEqual({ name: "digits", path: "/a=b/c" });
  expect(nameAndPath("/a=b/c")).toEqual({ name: "c", path: "/a=b/c" });
});

test("thinned rows keep the first and the last", () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 300 }), (n, most) => {
      const rows = Array.from({ length: n }, (_, i) => i);
      const kept = thin(rows, most);
      expect([kept[0], kept.at(-1)]).toEqual([0, n - 1]);
      expect(kept.length).toBeLessThanOrEqual(most + 1);
    }),
  ));

test("thinned rows keep what is asked for, and rows of one step become one", () => {
  const rows = Array.from({ length: 1000 }, (_, i) => i);
  expect(thin(rows, 10, (i) => i === 555)).toContain(555);
  const lines: Record<string, number>[] = [
    { step: 1, loss: 2 },
    { step: 2, loss: 1 },
    { step: 2, FID: 9 },
    { step: 3, loss: 0 },
  ];
  expect(joinSteps(lines)).toEqual([
    { step: 1, loss: 2 },
    { step: 2, loss: 1, FID: 9 },
    { step: 3, loss: 0 },
  ]);
});

test("metrics are Prometheus text: buckets rise, labels are escaped", () => {
  const histogram = new Histogram("h", "help", [1, 2]);
  for (const value of [0.5, 1.5, 9]) histogram.observe(value);
  expect(String(histogram)).toBe(
    '# HELP h help\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="2"} 2\nh_bucket{le="+Inf"} 3\nh_sum 11\nh_count 3\n',
  );
  const metrics = new ServerMetrics();
  metrics.requests.add({ route: 'a"\\\n' }, 2);
  expect(String(metrics)).toContain('soflow_requests_total{route="a\\"\\\\\\n"} 2\n');
});
