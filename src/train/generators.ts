import type { Runtime } from "../runtime/index.js";
import { collect, type DrawOptions, type Fixed, type Generated, Generator } from "./generate.js";
import type { ModelDescription } from "./model.js";
import { fillSizes, fixedSizes } from "./sizes.js";

/** Generators that are kept: a call needs four at most, and large weights are the same memory in all of them. */
const KEPT = 8;

/** Images of one request, in batches of at most `batch`. */
export type Request = {
  readonly count: number;
  readonly labels: readonly number[];
  readonly seed: number;
  readonly settings: DrawOptions;
};

/** n samples from the sample `first` on, in batches of one size. */
type Stretch = { readonly size: number; readonly first: number; readonly n: number };

/** The samples of a request, in batches of a few fixed sizes; equal ones follow one another. */
export const stretches = (count: number, most: number): readonly Stretch[] => {
  const found: Stretch[] = [];
  let first = 0;
  for (const size of fillSizes(count, fixedSizes(most))) {
    const n = Math.min(size, count - first);
    const last = found.at(-1);
    if (last?.size === size) found[found.length - 1] = { ...last, n: last.n + n };
    else found.push({ size, first, n });
    first += n;
  }
  return found;
};

/**
 * The generators of one model, compiled when they are first needed, at a few batch sizes. The one that was not used for longest
 * is released where there would be more than `kept`, so that memory does not grow with what is asked for. Calls must not overlap:
 * one might release what the other uses.
 */
export class Generators {
  private readonly known = new Map<string, Generator>();

  constructor(
    private readonly runtime: Runtime,
    private readonly description: ModelDescription,
    private readonly weights: Fixed,
    private readonly kept = KEPT,
  ) {}

  /** How many are compiled. */
  get size(): number {
    return this.known.size;
  }

  /** The generator for these options; one that could not be compiled is tried anew the next time. */
  async get(options: DrawOptions): Promise<Generator> {
    const name = nameOf(options);
    const generator = this.known.get(name) ?? (await this.create(options));
    this.known.delete(name);
    this.known.set(name, generator); // last used, last released
    return generator;
  }

  private async create(options: DrawOptions): Promise<Generator> {
    while (this.known.size >= this.kept) {
      const [name, oldest] = this.known.entries().next().value!;
      this.known.delete(name);
      await oldest.release();
    }
    return Generator.create(this.runtime, this.description, options, this.weights);
  }

  /** Draws all images of a request. */
  draw(request: Request): Promise<Generated> {
    return collect(this.batches(request));
  }

  private async *batches({ count, labels, seed, settings }: Request): AsyncGenerator<Generated> {
    for (const { size, first, n } of stretches(count, settings.batch)) {
      const generator = await this.get({ ...settings, batch: size });
      yield* generator.generate({ first, count: first + n, labels, seed });
    }
  }

  async release(): Promise<void> {
    for (const generator of this.known.values()) await generator.release();
    this.known.clear();
  }
}

/** Equal for equal options, in whatever order they are given. */
const nameOf = (options: DrawOptions): string =>
  JSON.stringify(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
