import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, oneOf, UserError } from "../errors.js";
import { listIfPresent } from "../files/index.js";
import { readSafetensors } from "../formats/safetensors.js";
import type { Runtime } from "../runtime/index.js";
import { alphaFlowLosses } from "./alphaFlow.js";
import { autoencoder } from "./autoencoder.js";
import { consistencyLosses } from "./consistency.js";
import type { Check, Fixture } from "./fixture.js";
import { inceptionFeatures } from "./inception.js";
import { soflowLosses } from "./losses.js";
import { meanflowLosses } from "./meanflow.js";
import { fullDiT, tinyForward } from "./networks.js";
import { ddpmLoss, flowMatchingLoss } from "./onetime.js";
import { schedules } from "./schedules.js";
import { soflowTrajectory } from "./trajectory.js";
import { fullUNet, tinyUNet } from "./unet.js";

/** What computes the numbers of a fixture file, by the file's name. */
const CHECKS: Readonly<Record<string, (fixture: Fixture, runtime: Runtime) => Promise<Check[]>>> = {
  schedules,
  dit_tiny_forward: tinyForward,
  soflow_losses: soflowLosses,
  soflow_trajectory: soflowTrajectory,
  meanflow_losses: meanflowLosses,
  alphaflow_losses: alphaFlowLosses,
  flow_matching_loss: flowMatchingLoss,
  ddpm_loss: ddpmLoss,
  consistency_losses: consistencyLosses,
  "full_DiT-B-4": fullDiT,
  "full_DiT-B-2": fullDiT,
  "full_DiT-M-2": fullDiT,
  "full_DiT-L-2": fullDiT,
  "full_DiT-XL-2": fullDiT,
  unet_tiny: tinyUNet,
  full_UNet: fullUNet,
  inception: inceptionFeatures,
  vae: autoencoder,
  vae_tiny: autoencoder,
};

export type VerifyOptions = { readonly folder: string; readonly only?: readonly string[] };

/** What became of one file. */
export type Outcome = {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  /** One line for people. */
  readonly detail: string;
};

/** The check that came closest to its tolerance, or went furthest beyond. */
const worst = (checks: readonly Check[]): Check =>
  checks.reduce((a, b) => {
    if (Number.isNaN(a.error)) return a;
    return Number.isNaN(b.error) || excess(b) > excess(a) ? b : a;
  });

const excess = ({ error, tolerance }: Check): number =>
  tolerance === 0 ? (error === 0 ? 0 : Number.POSITIVE_INFINITY) : error / tolerance;

const passes = ({ error, tolerance }: Check): boolean => error <= tolerance;

const judge = (name: string, checks: readonly Check[]): Outcome => {
  const failed = checks.filter((check) => !passes(check));
  const { name: where, error, tolerance } = worst(checks);
  const largest = `largest error ${error.toExponential(1)} of ${tolerance.toExponential(0)} allowed, in ${where}`;
  const counts =
    failed.length === 0 ? `${checks.length} numbers or tensors` : `${failed.length} of ${checks.length} differ`;
  return { name, status: failed.length === 0 ? "passed" : "failed", detail: `${counts}; ${largest}` };
};

const list = async (folder: string): Promise<string[]> => {
  const files = await listIfPresent(folder);
  if (!files)
    throw new UserError(
      `verify: there is no folder ${folder}; give the folder that holds the fixture files (*.safetensors)`,
    );
  const names = files.filter((file) => file.endsWith(".safetensors")).map((file) => file.replace(/\.safetensors$/, ""));
  if (names.length === 0) throw new UserError(`verify: ${folder} holds no *.safetensors files`);
  return names.sort();
};

const choose = (names: readonly string[], only: readonly string[] | undefined, folder: string): readonly string[] => {
  if (!only) return names;
  for (const name of only)
    if (!names.includes(name)) throw new UserError(`verify: ${folder} has no fixture ${name}; it has ${oneOf(names)}`);
  return only;
};

/** Computes what the fixture files of a folder hold, one outcome a file. */
export async function* verifyFolder({ folder, only }: VerifyOptions, runtime: Runtime): AsyncGenerator<Outcome> {
  for (const name of choose(await list(folder), only, folder)) {
    const file = join(folder, `${name}.safetensors`);
    const check = CHECKS[name];
    if (!check) {
      yield { name, status: "skipped", detail: "this version does not compute it" };
      continue;
    }
    const { tensors, metadata } = readSafetensors(await readFile(file), file);
    try {
      yield judge(name, await check({ name, tensors, metadata }, runtime));
    } catch (thrown) {
      yield { name, status: "failed", detail: messageOf(thrown) };
    }
  }
}
