import type { Tensor } from "../graph/tensor.js";
import { concat, split, stopGradient } from "../ops/index.js";
import type { Network } from "../paths/index.js";

/** One evaluation; `samples`, where the rows are not the batch's first, as in `Network`. */
export type Call = readonly [x: Tensor, t: Tensor, s: Tensor, y: Tensor, samples?: readonly number[]];

const samplesOf = ([x, , , , samples]: Call): readonly number[] => samples ?? samplesFrom(0, x);

/** The numbers of a batch's samples from `first` on, as many as x has. */
export const samplesFrom = (first: number, x: Tensor): readonly number[] =>
  Array.from({ length: x.dim(0) }, (_, i) => first + i);

/** Several evaluations of the network as one, over the joined batch: fewer and larger products, the same numbers. */
export const evaluate = (network: Network, calls: readonly Call[]): readonly Tensor[] => {
  if (calls.length === 0) return [];
  const joined = ([0, 1, 2, 3] as const).map((i) =>
    concat(
      calls.map((call) => call[i]),
      { axis: 0 },
    ),
  ) as unknown as [Tensor, Tensor, Tensor, Tensor];
  return split(network(...joined, calls.flatMap(samplesOf)), { axis: 0, sizes: calls.map(([x]) => x.dim(0)) });
};

/** Evaluations that a loss needs at once: those that gradients follow, and those that they do not. */
export type Request = { readonly trained?: readonly Call[]; readonly frozen?: readonly Call[] };
export type Answer = { readonly trained: readonly Tensor[]; readonly frozen: readonly Tensor[] };

/**
 * A loss written as a coroutine: it yields what it needs evaluated next and goes on with the values. So losses on
 * different samples can be evaluated together, each still written by itself.
 */
export type Staged<T> = Generator<Request, T, Answer>;

/** Answers requests of one round with one trained and one frozen evaluation for all of them. */
const answer = (network: Network, requests: readonly Request[]): Answer[] => {
  const kinds = (["trained", "frozen"] as const).map((kind) => {
    const values = [
      ...evaluate(
        network,
        requests.flatMap((request) => request[kind] ?? []),
      ),
    ];
    const given = kind === "frozen" ? values.map((value) => stopGradient(value)) : values;
    return requests.map((request) => given.splice(0, request[kind]?.length ?? 0));
  });
  return requests.map((_, i) => ({ trained: kinds[0]![i]!, frozen: kinds[1]![i]! }));
};

/** Runs coroutines in step, round by round, and gives what they return. */
export const together = <T>(network: Network, staged: readonly Staged<T>[]): T[] => {
  const turns = staged.map((one) => one.next());
  for (;;) {
    const open = turns.flatMap((turn, i) => (turn.done ? [] : [{ i, request: turn.value }]));
    if (open.length === 0) return turns.map(({ value }) => value as T);
    const answers = answer(
      network,
      open.map(({ request }) => request),
    );
    open.forEach(({ i }, k) => {
      turns[i] = staged[i]!.next(answers[k]!);
    });
  }
};
