import fc from "fast-check";
import { key } from "../src/random/random.js";
import type { SoFlow } from "../src/train/pretrained.js";

/** Calls on one model, as data: what overlapping ones give is compared with what each gives alone. */

export type Call =
  | { readonly kind: "generate"; readonly options: Parameters<SoFlow["generate"]>[0] }
  | { readonly kind: "edit"; readonly options: EditCall }
  | { readonly kind: "close" };

/** The image and mask of an edit by the seeds they are made from. */
type EditCall = {
  readonly image: number;
  readonly mask: number | undefined;
  readonly strength: number;
  readonly seed: number;
  readonly label: number;
  readonly steps: number;
};

/** Pixels of the images that are edited: one channel of 8 × 8. */
const PIXELS = 64;

const editOptions = ({ image, mask, ...rest }: EditCall) => ({
  ...rest,
  image: key(image).normal(PIXELS),
  ...(mask !== undefined && { mask: key(mask).uniform(PIXELS) }),
});

/** What a call gives, or the message of what it throws. */
export const answerOf = async (model: SoFlow, call: Call): Promise<unknown> => {
  try {
    if (call.kind === "close") return await model.close();
    return await (call.kind === "generate" ? model.generate(call.options) : model.edit(editOptions(call.options)));
  } catch (thrown) {
    return (thrown as Error).message;
  }
};

const seed = fc.integer({ min: 0, max: 4 });
const label = fc.integer({ min: 0, max: 2 });
const generate = fc.record(
  {
    count: fc.integer({ min: 1, max: 9 }),
    seed,
    labels: fc.array(label, { minLength: 1, maxLength: 3 }),
    steps: fc.integer({ min: 1, max: 3 }),
    batch: fc.constantFrom(1, 2, 4, 64),
    sampler: fc.constantFrom("renoise", "solution", "euler", "dopri5"),
    precision: fc.constantFrom("float32", "int8"),
  },
  { requiredKeys: ["seed"] },
);
const edit = fc.record({
  image: seed,
  mask: fc.option(seed, { nil: undefined }),
  strength: fc.constantFrom(0, 0.3, 0.7, 1),
  seed,
  label,
  steps: fc.integer({ min: 1, max: 3 }),
});

/** A call that is not `close`. */
export const anyCall: fc.Arbitrary<Call> = fc.oneof(
  { weight: 3, arbitrary: generate.map((options) => ({ kind: "generate", options }) as Call) },
  { weight: 1, arbitrary: edit.map((options) => ({ kind: "edit", options }) as Call) },
);
