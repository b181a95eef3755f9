import fc from "fast-check";
import { expect, test } from "vitest";
import { newest } from "../../web/src/newest.js";

/** The page's queue: what it draws follows the hand and does not lag behind. */

test("one piece of work at a time, in order, and the last that was asked for is always done", () =>
  fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 20 }), async (s, n) => {
      const done: number[] = [];
      let running = 0;
      const ask = newest();
      const work = (i: number) => async (): Promise<void> => {
        expect(++running).toBe(1);
        await s.schedule(Promise.resolve());
        done.push(i);
        running--;
      };
      const asked = s.scheduleSequence(
        Array.from({ length: n }, (_, i) => async () => {
          void ask(work(i));
        }),
      );
      await s.waitFor(asked.task);
      await s.waitIdle();
      expect(done).toEqual(done.toSorted((a, b) => a - b));
      expect(done.at(-1)).toBe(n - 1);
    }),
  ));

test("work that fails does not stop what comes after", async () => {
  const ask = newest();
  await expect(ask(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  let done = false;
  await ask(async () => {
    done = true;
  });
  expect(done).toBe(true);
});
