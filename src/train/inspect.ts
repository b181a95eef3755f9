import { type Dataset, inspectAll, type Loader, samplingOrder } from "../data/index.js";
import type { Config } from "./config/index.js";
import { withRemedy } from "./failure.js";

type OnNote = ((text: string) => void) | undefined;

/** Every sample of the epoch in which sample `first` of a run lies, from that one on and then those before it. */
const fromFirst = (seed: number, length: number, first: number): ((g: number) => number) => {
  const place = samplingOrder(seed, length);
  const epoch = first - (first % length);
  return (g) => place(epoch + ((first + g) % length));
};

const inspectImages = async (dataset: Dataset, seed: number, first: number, onNote: OnNote): Promise<void> => {
  const { length, name } = dataset;
  const done = await inspectAll(dataset, {
    order: fromFirst(seed, length, first),
    onProgress: (seen, of) => onNote?.(`${name}: checked the headers of ${seen} of ${of} images`),
  });
  if (done < length)
    onNote?.(`${name}: ${done} of ${length} images were checked in the time for it; the others are checked when read`);
};

/**
 * Looks at the headers of all images before a run's next step, and reads its first batch. Throws one `UserError` that
 * names what cannot be used; with `data.onError: skip` only where that is everything.
 */
export const inspectData = async (
  dataset: Dataset,
  loader: Loader,
  { seed, data, train }: Pick<Config, "seed" | "data" | "train">,
  done: number,
  onNote?: (text: string) => void,
): Promise<void> => {
  try {
    if (data.onError === "stop") await inspectImages(dataset, seed, done * train.batch, onNote);
    await loader.ready();
  } catch (thrown) {
    throw withRemedy(thrown);
  }
};
