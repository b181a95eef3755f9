import { UserError } from "../../errors.js";
import type { Checkpoint, CheckpointTensor } from "./file.js";

/** Tensors by the name of the parameter they belong to, in the order of the file. */
export type ByParameter = ReadonlyMap<string, CheckpointTensor>;

/** The parts of a training checkpoint, whatever its writer called them. */
export type Layout = {
  /** The weights of the last step. */
  readonly weights: ByParameter | undefined;
  /** Their moving average. */
  readonly average: ByParameter | undefined;
  /** Adam's moments. */
  readonly moments: { readonly m: ByParameter; readonly v: ByParameter } | undefined;
  /** Steps that are done. */
  readonly step: number | undefined;
};

/** What checkpoints call their parts; the official code: model, ema_model, optimizer, finished_steps. */
const KEYS = {
  weights: ["model", "model_state_dict", "state_dict", "net"],
  average: ["ema_model", "ema", "model_ema", "ema_state_dict"],
  optimizer: ["optimizer", "opt", "optimizer_state_dict"],
  step: ["finished_steps", "step", "train_steps", "global_step"],
} as const;

/** What wrappers put before names: DistributedDataParallel, torch.compile, the official code's own module. */
const WRAPPERS = /^(?:(?:module|_orig_mod|network|model)\.)+/;

/** Buffers that networks compute for themselves and official checkpoints hold all the same. */
const COMPUTED = /^pos_embed$|\.resample_filter$/;
export const isComputed = (name: string): boolean => COMPUTED.test(name);

/** Finds the parts of a checkpoint. A file without any of the known keys is a bare state dict. */
export const layoutOf = async (checkpoint: Checkpoint): Promise<Layout> => {
  const part = (keys: readonly string[]): string | undefined =>
    keys.find((key) => [...checkpoint.tensors.keys()].some((name) => name.startsWith(`${key}.`)));
  const [weightsKey, averageKey, optimizer] = [part(KEYS.weights), part(KEYS.average), part(KEYS.optimizer)];
  const bare = weightsKey === undefined && averageKey === undefined;
  const weights = bare ? stateDict(checkpoint, "") : optional(checkpoint, weightsKey);
  const average = optional(checkpoint, averageKey);
  const names = [...(weights ?? average!).keys()];
  const moments = optimizer === undefined ? undefined : momentsOf(checkpoint, optimizer, names);
  return { weights, average, moments, step: await stepOf(checkpoint, optimizer) };
};

const optional = (checkpoint: Checkpoint, key: string | undefined): ByParameter | undefined =>
  key === undefined ? undefined : stateDict(checkpoint, `${key}.`);

const stateDict = ({ path, tensors }: Checkpoint, prefix: string): ByParameter => {
  const found = new Map<string, CheckpointTensor>();
  for (const [full, tensor] of tensors) {
    if (!full.startsWith(prefix)) continue;
    const name = full.slice(prefix.length).replace(WRAPPERS, "");
    if (found.has(name)) throw new UserError(`${path}: two tensors are called ${name} once wrappers are taken off`);
    found.set(name, tensor);
  }
  return found;
};

/** Adam's state is by number: parameter i of the only group is the i-th of the state dict, frozen ones included. */
const momentsOf = (checkpoint: Checkpoint, key: string, all: readonly string[]): Layout["moments"] => {
  const { path, tensors, scalars, ordered } = checkpoint;
  if (!ordered)
    throw new UserError(
      `${path}: a safetensors file cannot tell which moments belong to which weights; give the .pt file`,
    );
  const groups = [...scalars].flatMap(([name, value]) => {
    const group = name.startsWith(`${key}.`) && /^param_groups\.(\d+)\.params\.\d+$/.exec(name.slice(key.length + 1));
    return group ? [{ group: group[1], number: value }] : [];
  });
  if (new Set(groups.map(({ group }) => group)).size > 1)
    throw new UserError(`${path}: its optimizer has several groups of parameters; one group is read`);
  const trained = all.filter((name) => !isComputed(name));
  const names = [all, trained].find(({ length }) => length === groups.length);
  if (!names)
    throw new UserError(`${path}: its optimizer has ${groups.length} parameters, its network has ${trained.length}`);
  const slot = (name: string): ByParameter =>
    new Map(
      groups.flatMap(({ number }, i) => {
        const tensor = tensors.get(`${key}.state.${String(number)}.${name}`);
        return tensor ? [[names[i]!, tensor] as const] : [];
      }),
    );
  return { m: slot("exp_avg"), v: slot("exp_avg_sq") };
};

/** The step that the checkpoint states, or the one that its optimizer counts. */
const stepOf = async (checkpoint: Checkpoint, optimizer: string | undefined): Promise<number | undefined> => {
  const { path, tensors, scalars } = checkpoint;
  const stated = KEYS.step.map((key) => scalars.get(key)).find((value) => value !== undefined);
  const value =
    stated ?? (optimizer === undefined ? undefined : await countedStep(tensors, scalars, `${optimizer}.state.`));
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new UserError(`${path}: its step is ${String(value)}; it must be a whole number of at least 0`);
};

const countedStep = async (
  tensors: Checkpoint["tensors"],
  scalars: Checkpoint["scalars"],
  prefix: string,
): Promise<unknown> => {
  const isStep = (name: string): boolean => name.startsWith(prefix) && name.endsWith(".step");
  const scalar = [...scalars].find(([name]) => isStep(name));
  const tensor = [...tensors].find(([name]) => isStep(name));
  return scalar ? scalar[1] : (await tensor?.[1].read())?.[0];
};
