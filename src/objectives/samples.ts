import type { Tensor } from "../graph/tensor.js";
import type { Conditions } from "../paths/index.js";

/** What every loss reads: data x_0 and noise eps of one shape [B …], and what each sample is conditioned on. */
export type Samples = {
  readonly x_0: Tensor;
  readonly eps: Tensor;
  /** As training sees it: the null label where the label was dropped. */
  readonly c: Conditions;
};

/** The same for a loss that guides while it trains. */
export type GuidedSamples = Samples & {
  /** Before anything was dropped. */
  readonly c_given: Conditions;
  /** Everything dropped. */
  readonly c_null: Conditions;
  /** Whether the sample's label was dropped: bool [B 1 …], of the rank of x_0. */
  readonly dropped: Tensor;
};
