import { UnusableSample } from "../data/index.js";
import { messageOf, UserError } from "../errors.js";
import { checkpointPaths, lastSaneCheckpoint, listCheckpoints } from "./checkpoint.js";
import { lossOf, WILD_TEXT } from "./health.js";

/** The loss, the gradient or the weights are no longer finite: there is nothing good to save. */
export class Diverged extends UserError {
  override name = "Diverged";
}

/** What an image that cannot be used calls for. */
const SKIP = "repair what is named, or pass over such images with data.onError: skip (--set data.onError=skip)";

/** An error about images that cannot be used also says what to do about them. */
export const withRemedy = (thrown: unknown): unknown =>
  thrown instanceof UnusableSample ? new UserError(`${thrown.message}; ${SKIP}`) : thrown;

/** Where to go back to after training has diverged, in words. */
export const goodCheckpoint = async (folder: string): Promise<string> => {
  const latest = (await listCheckpoints(folder)).at(-1);
  if (latest === undefined) return "there is no checkpoint yet";
  const good = await lastSaneCheckpoint(folder);
  if (!good)
    return `no checkpoint is known to have had a sane loss; the latest is ${checkpointPaths(folder, latest).tensors}`;
  const loss = lossOf(good.health);
  const stated = loss === undefined ? "" : ` (${Number(loss.toPrecision(4))})`;
  const later = good.later.length > 0 ? `; of step ${good.later.join(", ")} it was ${WILD_TEXT}` : "";
  return `the last good checkpoint, its weights finite and its loss sane${stated}, is ${checkpointPaths(folder, good.step).tensors}${later}`;
};

/** Where a run can be resumed after a failure, in words. `unsaved`: why its last step could not be saved; "" where that was the failure. */
const standing = async (folder: string, done: number, unsaved: string | undefined): Promise<string> => {
  const latest = (await listCheckpoints(folder).catch(() => [])).at(-1);
  const lost = unsaved ? `step ${done} could not be saved either (${unsaved}); ` : "";
  if (latest === undefined) return `${lost}there is no checkpoint yet`;
  const where = unsaved === undefined ? `step ${latest} is saved` : `the checkpoint of step ${latest} is unchanged`;
  return `${lost}${where}, and the same command resumes from it`;
};

/** Saves after a failure, and says in words how the run can go on. */
export const afterFailure = async (
  thrown: unknown,
  { folder, done, save }: { folder: string; done: number; save: () => Promise<void> },
): Promise<string> => {
  const unsaved = await save().then(
    () => undefined,
    (another: unknown) => (messageOf(another) === messageOf(thrown) ? "" : messageOf(another)),
  );
  const text = await standing(folder, done, unsaved);
  return thrown instanceof UnusableSample ? `${text}; ${SKIP}` : text;
};
