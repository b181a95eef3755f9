import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allowedMethods } from "./allowed.js";
import { Budget } from "./budget.js";
import { Turns } from "./turns.js";
import { isLoopback } from "./visitors.js";

const never = new AbortController().signal;

describe("turns", () => {
  const pieces = fc.array(fc.record({ time: fc.integer({ min: 0, max: 3 }), leaves: fc.boolean() }), { maxLength: 30 });

  test("are never more at a time than allowed; each is taken or left, whatever comes and goes", () =>
    fc.assert(
      fc.asyncProperty(pieces, fc.integer({ min: 1, max: 3 }), fc.scheduler(), async (all, most, s) => {
        const turns = new Turns({ most, maxWaiting: 100, what: "pieces" });
        let running = 0;
        const outcomes = all.map(({ time, leaves }) => {
          const controller = new AbortController();
          const work = async (): Promise<string> => {
            expect(++running).toBeLessThanOrEqual(most);
            for (let i = 0; i < time; i++) await s.schedule(Promise.resolve());
            running--;
            return "done";
          };
          if (leaves) void s.schedule(Promise.resolve()).then(() => controller.abort(new Error("left")));
          return turns.run(work, controller.signal).catch((error: Error) => error.message);
        });
        await s.waitFor(Promise.all(outcomes));
        for (const [i, outcome] of (await Promise.all(outcomes)).entries())
          if (!all[i]!.leaves) expect(outcome).toBe("done");
        expect(await turns.run(async () => "free", never)).toBe("free");
      }),
      { numRuns: 50 },
    ));

  test("are waited for by so many and no more", async () => {
    const turns = new Turns({ most: 1, maxWaiting: 2, what: "pictures" });
    let finish = (): void => {};
    const first = turns.run(() => new Promise<void>((resolve) => (finish = resolve)), never);
    const waiting = [turns.run(async () => 2, never), turns.run(async () => 3, never)];
    const refused = turns.run(async () => 4, never);
    await expect(refused).rejects.toThrow("2 pictures wait already; try again shortly");
    await expect(refused).rejects.toMatchObject({ status: 429, headers: { "Retry-After": "1" } });
    finish();
    await first;
    expect(await Promise.all(waiting)).toEqual([2, 3]);
  });
});

test("a budget holds no more than its limit, whoever takes and gives back", () =>
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 60 })), (sizes) => {
      const budget = new Budget(100, "bodies");
      const held: number[] = [];
      for (const size of sizes)
        try {
          budget.take(size);
          held.push(size);
        } catch (thrown) {
          expect(thrown).toMatchObject({ status: 503, headers: { "Retry-After": "1" } });
          if (held.length > 0) budget.giveBack(held.pop()!);
        }
      expect(budget.used).toBe(held.reduce((sum, size) => sum + size, 0));
      expect(budget.used).toBeLessThanOrEqual(100);
    }),
  ));

test("only addresses of this machine are loopback", () => {
  for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "::1"]) expect(isLoopback(host), host).toBe(true);
  for (const host of ["0.0.0.0", "::", "localhost.example", "127.example", "127.0.0.1.example", "10.0.0.1", "::ffff:1"])
    expect(isLoopback(host), host).toBe(false);
});

test("methods of a path are those of its routes, and of the files that are served", () => {
  const route = (method: string, path: string) => ({ method, path, handler: () => {}, basePath: "/" });
  const routes = [route("ALL", "/*"), route("GET", "/a/:b/c"), route("POST", "/a.b"), route("GET", "*")];
  const allowed = allowedMethods(
    { routes } as unknown as Parameters<typeof allowedMethods>[0],
    new Map([["/f.js", 1]]),
  );
  expect(allowed("/a/x y/c")).toBe("GET, HEAD, OPTIONS");
  expect(allowed("/a.b")).toBe("POST, OPTIONS");
  expect(allowed("/f.js")).toBe("GET, HEAD, OPTIONS");
  for (const path of ["/axb", "/a/b/c/d", "/a//c", "/f_js", "*"]) expect(allowed(path), path).toBeUndefined();
});
