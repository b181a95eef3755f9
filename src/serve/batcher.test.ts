import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Batcher, type Batch as Running } from "./batcher.js";
import { Refusal } from "./refusal.js";

type Item = { readonly id: number; readonly lane: number };
type Request = { readonly at: number; readonly lanes: readonly number[] };
type Batch = { readonly items: readonly Item[]; readonly at: number };

const now = (): number => performance.now();
const laneOf = ({ lane }: Item): string => `${lane}`;

/** Plays requests against a batcher whose batches take `work` ms, in fake time. */
const play = async (requests: readonly Request[], limits: { maxBatch: number; maxWait: number; work: number }) => {
  const batches: Batch[] = [];
  const answers = new Map<number, number>();
  let overlap = 0;
  const run = async (items: readonly Item[]): Promise<readonly number[]> => {
    overlap++;
    expect(overlap).toBe(1);
    batches.push({ items, at: now() });
    await new Promise((resolve) => setTimeout(resolve, limits.work));
    overlap--;
    return items.map(({ id }) => id);
  };
  const batcher = new Batcher<Item, number>({ ...limits, maxQueue: 10_000, laneOf, run });
  const sent = new Map<number, number>();
  let id = 0;
  const submit = async ({ at, lanes }: Request): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, at));
    const items = lanes.map((lane) => ({ id: id++, lane }));
    for (const item of items) sent.set(item.id, now());
    const onResult = (index: number): void => {
      answers.set(items[index]!.id, (answers.get(items[index]!.id) ?? 0) + 1);
    };
    expect(await batcher.submit(items, { onResult })).toEqual(items.map((item) => item.id));
  };
  const all = Promise.all(requests.map(submit));
  await vi.runAllTimersAsync();
  await all;
  await batcher.drained();
  return { batches, answers, sent };
};

const requests = fc.array(
  fc.record({
    at: fc.integer({ min: 0, max: 60 }),
    lanes: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 7 }),
  }),
  { minLength: 1, maxLength: 12 },
);
const limits = fc.record({
  maxBatch: fc.integer({ min: 1, max: 8 }),
  maxWait: fc.integer({ min: 0, max: 10 }),
  work: fc.integer({ min: 1, max: 30 }),
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("for every way in which requests arrive", () => {
  const law = (
    check: (played: Awaited<ReturnType<typeof play>>, l: { maxBatch: number; maxWait: number; work: number }) => void,
  ) =>
    fc.assert(
      fc.asyncProperty(requests, limits, async (given, l) => check(await play(given, l), l)),
      { numRuns: 60 },
    );

  test("every item is answered exactly once, with its own result", () =>
    law(({ answers, sent }) => {
      expect([...answers.values()]).toEqual(Array(sent.size).fill(1));
    }));

  test("batches are of one lane and never above the most", () =>
    law(({ batches }, { maxBatch }) => {
      for (const { items } of batches) {
        expect(items.length).toBeLessThanOrEqual(maxBatch);
        expect(new Set(items.map(laneOf)).size).toBe(1);
      }
    }));

  test("items of a lane run in the order in which they came", () =>
    law(({ batches }) => {
      for (const lane of [0, 1, 2]) {
        const ids = batches.flatMap(({ items }) => items.filter((item) => item.lane === lane).map(({ id }) => id));
        expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      }
    }));

  test("no item waits longer than maxWait and the batches before it take", () =>
    law(({ batches, sent }, { maxWait, work }) => {
      for (const [k, { items, at }] of batches.entries())
        for (const { id } of items) {
          const before = batches.slice(0, k).filter((batch) => batch.at + work > sent.get(id)!).length;
          expect(at - sent.get(id)!).toBeLessThanOrEqual(maxWait + before * work + 1);
        }
    }));

  test("the oldest item is always in the next batch", () =>
    law(({ batches, sent }) => {
      const left = new Set(sent.keys());
      for (const { items } of batches) {
        expect(items[0]!.id).toBe(Math.min(...left));
        for (const { id } of items) left.delete(id);
      }
    }));
});

const echo = (maxQueue = 4) => {
  const run = vi.fn(async (items: readonly Item[]) => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    return items.map(({ id }) => id);
  });
  return { run, batcher: new Batcher<Item, number>({ maxBatch: 2, maxWait: 5, maxQueue, laneOf, run }) };
};
const items = (...ids: number[]): Item[] => ids.map((id) => ({ id, lane: 0 }));

test("a full queue takes all of a request or none, and says when to come back", async () => {
  const { batcher } = echo();
  const first = batcher.submit(items(1, 2, 3));
  const second = batcher.submit(items(4, 5, 6, 7));
  await expect(second).rejects.toThrow("the queue holds 1 of 4 images and cannot take 4 more; try again shortly");
  await expect(second).rejects.toMatchObject({ status: 429, headers: { "Retry-After": "1" } });
  await vi.runAllTimersAsync();
  expect(await first).toEqual([1, 2, 3]);
});

test("a request that no queue could hold is told so", async () => {
  const { batcher } = echo();
  await expect(batcher.submit(items(1, 2, 3, 4, 5))).rejects.toThrow(
    "5 images are more than the queue of 4 holds; ask for fewer",
  );
});

test("who leaves takes the items that wait along; others are answered", async () => {
  const { batcher, run } = echo(10);
  const leaving = new AbortController();
  const gone = batcher.submit(items(1), { signal: leaving.signal });
  const stays = batcher.submit(items(2, 3, 4), {});
  const lost = expect(gone).rejects.toThrow("left");
  leaving.abort(new Refusal(504, "timeout", "left"));
  await vi.runAllTimersAsync();
  await lost;
  expect(await stays).toEqual([2, 3, 4]);
  expect(run.mock.calls.flatMap(([batch]) => batch.map(({ id }) => id))).toContain(4);
  await expect(batcher.submit(items(9), { signal: leaving.signal })).rejects.toThrow("left");
});

test("a batch is told who has left, and ends when all have", async () => {
  const seen: { wanted: boolean[]; aborted: boolean }[] = [];
  const run = async (batch: readonly Item[], { isWanted, signal }: Running): Promise<readonly number[]> => {
    for (let step = 0; step < 3; step++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      seen.push({ wanted: batch.map((_, i) => isWanted(i)), aborted: signal.aborted });
      signal.throwIfAborted();
    }
    return batch.map(({ id }) => id);
  };
  const batcher = new Batcher<Item, number>({ maxBatch: 2, maxWait: 1, maxQueue: 9, laneOf, run });
  const [first, second] = [new AbortController(), new AbortController()];
  const results: number[] = [];
  const onResult = (_: number, result: number): void => void results.push(result);
  const gone = [first, second].map(({ signal }, id) => batcher.submit(items(id), { signal, onResult }));
  const lost = Promise.all(gone.map((one) => expect(one).rejects.toThrow("left")));
  await vi.advanceTimersByTimeAsync(5);
  first.abort(new Error("left"));
  await vi.advanceTimersByTimeAsync(10);
  second.abort(new Error("left"));
  await vi.runAllTimersAsync();
  await lost;
  await batcher.drained();
  expect(seen).toEqual([
    { wanted: [false, true], aborted: false },
    { wanted: [false, false], aborted: true },
  ]);
  expect(results).toEqual([]);
});

test("a batch that fails fails its own items only", async () => {
  let calls = 0;
  const run = async (batch: readonly Item[]): Promise<readonly number[]> => {
    if (calls++ === 0) throw new Error("broken");
    return batch.map(({ id }) => id);
  };
  const batcher = new Batcher<Item, number>({ maxBatch: 1, maxWait: 0, maxQueue: 9, laneOf, run });
  const [bad, good] = [batcher.submit(items(1)), batcher.submit(items(2))];
  const failed = expect(bad).rejects.toThrow("broken");
  await vi.runAllTimersAsync();
  await failed;
  expect(await good).toEqual([2]);
});
