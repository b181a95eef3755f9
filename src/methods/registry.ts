import { oneOf, UserError } from "../errors.js";
import { alphaFlowMethod } from "./alpha-flow.js";
import { consistency } from "./consistency.js";
import { consistencyDistillation } from "./consistency-distillation.js";
import { ddpm } from "./ddpm.js";
import type { Method, MethodSettings } from "./define.js";
import { edm } from "./edm.js";
import { flowMatching } from "./flow-matching.js";
import { improvedConsistency } from "./improved-consistency.js";
import { meanflow } from "./meanflow.js";
import { soflow } from "./soflow.js";

/** The methods that come with the package, in the order in which they are shown. */
const BUILT_IN: readonly Method[] = [
  soflow,
  meanflow,
  alphaFlowMethod,
  flowMatching,
  ddpm,
  edm,
  consistency,
  improvedConsistency,
  consistencyDistillation,
];

const known = new Map(BUILT_IN.map((method) => [method.kind, method]));

/** All methods. */
export const methods = (): readonly Method[] => [...known.values()];

/** Makes a method known by its kind. Throws a `UserError` where another one has that kind. */
export const registerMethod = (method: Method): void => {
  const before = known.get(method.kind);
  if (before && before !== method) throw new UserError(`there is already a method of kind ${method.kind}`);
  known.set(method.kind, method);
};

/** The method of a kind. Throws a `UserError` for one that is not known. */
export const methodOf = (kind: string): Method => {
  const method = known.get(kind);
  if (!method) throw new UserError(`there is no method of kind ${kind}; known: ${oneOf([...known.keys()])}`);
  return method;
};

/** The method behind settings. */
export const openMethod = (settings: MethodSettings) => methodOf(settings.kind).open(settings);
