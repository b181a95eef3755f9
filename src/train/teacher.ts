import { UserError } from "../errors.js";
import { type MethodSettings, openMethod } from "../methods/index.js";
import { denoiser } from "../objectives/index.js";
import { type OneTimeNetwork, oneTime } from "../paths/index.js";
import type { DeviceTensor, Runtime } from "../runtime/index.js";
import { type ModelDescription, openNetwork } from "./model.js";
import { openSource } from "./source.js";

/** A trained denoiser that a student learns from, with its weights on the device. */
export type Teacher = {
  readonly denoiser: OneTimeNetwork;
  /** By program input. */
  readonly weights: Readonly<Record<string, DeviceTensor>>;
  readonly release: () => void;
};

const teacherInput = (name: string): string => `teacher.${name}`;

/** The problem with distilling one model into another, for people; undefined when there is none. */
const misfit = (teacher: ModelDescription, student: ModelDescription): string | undefined => {
  const [a, b] = [teacher.network, student.network];
  if (teacher.method.kind !== "edm")
    return `it was trained by ${teacher.method.kind}; the teacher must be an edm model`;
  if (a.imageSize !== b.imageSize || a.channels !== b.channels)
    return `it draws ${a.channels}×${a.imageSize}×${a.imageSize}, the data are ${b.channels}×${b.imageSize}×${b.imageSize}`;
  if (a.classes !== b.classes) return `it has ${a.classes} labels, the data have ${b.classes}`;
  return undefined;
};

const requireFit = (path: string, teacher: ModelDescription, student: ModelDescription): void => {
  const problem = misfit(teacher, student);
  if (problem !== undefined) throw new UserError(`objective.teacher ${path} does not fit: ${problem}`);
};

/** Throws a `UserError` when the model that `objective.teacher` names is missing or does not fit. */
export const checkTeacher = async (objective: MethodSettings, student: ModelDescription): Promise<void> => {
  const { teacher } = openMethod(objective);
  if (teacher === undefined) return;
  const { description, file } = await openSource(teacher, "ema", "objective.teacher");
  await file.close();
  requireFit(teacher, description, student);
};

/** Opens the model that `objective.teacher` names; undefined for methods without one. */
export const openTeacher = async (
  objective: MethodSettings,
  student: ModelDescription,
  runtime: Runtime,
): Promise<Teacher | undefined> => {
  const { teacher } = openMethod(objective);
  if (teacher === undefined) return undefined;
  const { description, file, prefix } = await openSource(teacher, "ema", "objective.teacher");
  try {
    requireFit(teacher, description, student);
    const { network, parameters } = openNetwork(description.network, teacherInput);
    const weights: Record<string, DeviceTensor> = {};
    for (const { name, tensor } of parameters) {
      const device = runtime.tensor(tensor.type);
      await device.write(await file.read(prefix + name));
      weights[teacherInput(name)] = device;
    }
    const release = (): void => {
      for (const device of Object.values(weights)) device.dispose();
    };
    return { denoiser: denoiser(oneTime(network)), weights, release };
  } finally {
    await file.close();
  }
};
