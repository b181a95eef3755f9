import type * as Ort from "onnxruntime-web";
import type { Manifest } from "../train/export/manifest.js";
import { load, type Sessions } from "./loading.js";
import type { Answer, Request, RunRequest } from "./messages.js";

/** Loads ONNX Runtime and an exported model, and runs it: everything that takes time is away from the page's thread. */

type Loaded = { readonly manifest: Manifest; readonly sessions: Sessions };

const run = async ({ manifest, sessions: { ort, byName } }: Loaded, { model, x, labels, t, s }: RunRequest) => {
  const session = byName.get(model);
  if (!session) throw new Error(`this model has no ${model}: it draws with one step alone`);
  const [count, image] = [labels.length, model === "model.onnx" ? "noise" : "x"];
  const shape = manifest.models[model]!.inputs[image]!.shape.slice(1) as number[];
  const time = (value: number) => new ort.Tensor("float32", new Float32Array(count).fill(value), [count]);
  const feeds: Record<string, Ort.Tensor> = { [image]: new ort.Tensor("float32", x, [count, ...shape]) };
  if (session.inputNames.includes("label"))
    feeds.label = new ort.Tensor("int64", BigInt64Array.from(labels, BigInt), [count]);
  if (t !== undefined) feeds.t = time(t);
  if (s !== undefined) feeds.s = time(s);
  const result = (await session.run(feeds))[session.outputNames[0]!]!;
  const values = (await result.getData()) as Float32Array | Uint8Array;
  return { values: values.slice(), shape: result.dims };
};

let current: Loaded | undefined;

type Part = Answer extends infer A ? (A extends { id: number } ? Omit<A, "id"> : never) : never;

const handle = async (message: Request, answer: (part: Part) => void): Promise<void> => {
  if (message.kind === "load") {
    const { model, sessions } = await load(message.options, (progress) => answer({ kind: "progress", ...progress }));
    current = { manifest: model.manifest, sessions };
    answer({ kind: "loaded", ...model });
  } else answer({ kind: "ran", ...(await run(current!, message.request)) });
};

/** Requests one after another: a session runs one at a time. */
let turn: Promise<void> = Promise.resolve();
self.onmessage = ({ data }: MessageEvent<Request & { id: number }>) => {
  const answer = (part: Part): void => self.postMessage({ id: data.id, ...part });
  turn = turn.then(() =>
    handle(data, answer).catch((thrown: unknown) =>
      answer({ kind: "failed", message: thrown instanceof Error ? thrown.message : String(thrown) }),
    ),
  );
};
