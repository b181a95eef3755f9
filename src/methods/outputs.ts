import { UserError } from "../errors.js";
import type { Conditions, Network, OneTimeNetwork } from "../paths/index.js";
import { guided, type Readings } from "../samplers/index.js";
import type { Method, TrainedMethod } from "./define.js";
import { methodOf } from "./registry.js";

export type OutputOptions = {
  readonly network: Network;
  readonly c: Conditions;
  /** w of classifier-free guidance while sampling; 1 is none. */
  readonly guidance: number;
  /** Everything dropped; undefined where the network was not trained with anything dropped. */
  readonly c_null: Conditions | undefined;
};

const WHERE_ELSE: Readonly<Record<Method["guidance"], string>> = {
  "in sampling": "",
  "in training": " but in training (objective.guidance)",
  none: "",
};

/** Throws a `UserError` where guidance while sampling makes no sense for a model. */
const checkGuidance = ({ kind, guidance: where }: Method, { guidance, c_null }: OutputOptions): void => {
  if (guidance === 1) return;
  if (where !== "in sampling")
    throw new UserError(
      `guidance is ${guidance}; a ${kind} model is not guided while sampling${WHERE_ELSE[where]}: leave it out`,
    );
  if (c_null === undefined)
    throw new UserError(
      `guidance is ${guidance}; the model was trained without hiding labels (objective.labelDropout): leave it out`,
    );
};

/** What a trained network offers to samplers. Throws a `UserError` for guidance that the model cannot have. */
export const outputsOf = (trained: TrainedMethod, options: OutputOptions): Readings => {
  const method = methodOf(trained.kind);
  checkGuidance(method, options);
  const { network, c, c_null = c, guidance } = options;
  return method.outputs(trained, {
    network,
    c,
    guided: (read: OneTimeNetwork) => guided(read, c, c_null, guidance),
  });
};
