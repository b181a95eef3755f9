import { join } from "node:path";
import { z } from "zod";
import { LIMITS } from "../../checks/limits.js";
import { UserError } from "../../errors.js";
import { readIfPresent } from "../../files/index.js";
import { channelsFirst } from "../../formats/planes.js";
import type { Runtime } from "../../runtime/index.js";
import { writeFileAtomically } from "../files.js";
import { Judge } from "../judge.js";
import { checkedJson } from "../readJson.js";
import type { FeatureExtractor } from "./extractor.js";

const DESCRIPTION = "features.json";

/** What `features.json` holds. */
const featuresSchema = z.object({ name: z.string().max(LIMITS.nameLength), hash: z.string().max(64) });

/** Bytes to [−1, 1]. */
const signed = (byte: number): number => byte / 127.5 - 1;

/** A classifier trained here, as features: never the field's FID. */
export const judgeExtractor = (judge: Judge, name: string): FeatureExtractor => ({
  name,
  hash: judge.hash,
  size: judge.shape.imageSize,
  batch: 128,
  extract: async (images, n, size) => {
    const { features, labels } = await judge.judge(channelsFirst(images, n, judge.shape.channels, size, signed));
    return { pool: features, labels };
  },
  release: () => judge.release(),
});

/** Writes a classifier as a folder of features. */
export const saveFeatures = async (judge: Judge, name: string, folder: string): Promise<void> => {
  await judge.save(folder);
  await writeFileAtomically(join(folder, DESCRIPTION), `${JSON.stringify({ name, hash: judge.hash }, null, 2)}\n`);
};

/** Opens what `saveFeatures` wrote. Throws a `UserError` where there is nothing, or its weights are not those it names. */
export const openFeatures = async (runtime: Runtime, folder: string): Promise<FeatureExtractor> => {
  const text = await readIfPresent(join(folder, DESCRIPTION));
  const judge = text === undefined ? undefined : await Judge.load(runtime, folder);
  if (text === undefined || !judge)
    throw new UserError(
      `evaluate: ${folder} holds no features (${DESCRIPTION} is missing); make them with soflow features train DATA --out ${folder}`,
    );
  const { name, hash } = checkedJson(featuresSchema, join(folder, DESCRIPTION), text);
  if (hash !== judge.hash)
    throw new UserError(`evaluate: the weights in ${folder} have the hash ${judge.hash}; ${DESCRIPTION} says ${hash}`);
  return judgeExtractor(judge, name);
};
