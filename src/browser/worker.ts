import type * as Ort from "onnxruntime-web";
import type { Manifest } from "../train/export/manifest.js";
import { fetchJson, fetchKept } from "./fetching.js";
import type { Answer, Device, LoadOptions, Request, RunRequest } from "./messages.js";

/** Loads ONNX Runtime and an exported model, and runs it: everything that takes time is away from the page's thread. */

type Session = Ort.InferenceSession;
type Loaded = { readonly ort: typeof Ort; readonly sessions: ReadonlyMap<string, Session> };

const DATA = "model.onnx_data";
/** The builds of onnxruntime-web for each device. */
const BUILDS: Readonly<Record<Device, string>> = { webgpu: "ort.webgpu.min.mjs", wasm: "ort.wasm.min.mjs" };

const hasWebGpu = async (): Promise<boolean> => {
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  return Boolean(await gpu?.requestAdapter().catch(() => null));
};

const chooseDevice = async (device: LoadOptions["device"]): Promise<Device> => {
  if (device !== "auto") return device;
  return (await hasWebGpu()) ? "webgpu" : "wasm";
};

const withSlash = (url: string): string => new URL(url.endsWith("/") ? url : `${url}/`, self.location.href).href;

const openRuntime = async ({ runtime, threads }: LoadOptions, device: Device): Promise<typeof Ort> => {
  const base = withSlash(runtime);
  const ort = (await import(/* @vite-ignore */ base + BUILDS[device])) as typeof Ort;
  ort.env.wasm.wasmPaths = base;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? threads : 1;
  return ort;
};

const load = async (options: LoadOptions, answer: (part: Omit<Answer & { kind: "progress" }, "id">) => void) => {
  const base = withSlash(options.url);
  const manifest = await fetchJson<Manifest>(`${base}manifest.json`);
  if (manifest.format !== "soflow-export") throw new Error(`${base} is not a folder that soflow export wrote`);
  const device = await chooseDevice(options.device);
  const ort = await openRuntime(options, device);
  const fileOf = (name: string) => manifest.files.find((file) => file.name === name)!;
  const onProgress = (file: string, loaded: number, total: number): void =>
    answer({ kind: "progress", file, loaded, total });
  const data = await fetchKept(base, fileOf(DATA), onProgress);
  const sessions = new Map<string, Session>();
  for (const name of Object.keys(manifest.models)) {
    const model = await fetchKept(base, fileOf(name), onProgress);
    const externalData = [{ path: DATA, data }];
    sessions.set(name, await ort.InferenceSession.create(model, { executionProviders: [device], externalData }));
  }
  return { manifest, device, loaded: { ort, sessions } };
};

const run = async ({ ort, sessions }: Loaded, { model, x, labels, t, s }: RunRequest) => {
  const session = sessions.get(model);
  if (!session) throw new Error(`this model has no ${model}: it draws with one step alone`);
  const count = labels.length;
  const [image] = model === "model.onnx" ? ["noise"] : ["x"];
  const time = (value: number) => new ort.Tensor("float32", new Float32Array(count).fill(value), [count]);
  const shape = shapes.get(image!)!;
  const feeds: Record<string, Ort.Tensor> = { [image!]: new ort.Tensor("float32", x, [count, ...shape]) };
  if (session.inputNames.includes("label"))
    feeds.label = new ort.Tensor("int64", BigInt64Array.from(labels, BigInt), [count]);
  if (t !== undefined) feeds.t = time(t);
  if (s !== undefined) feeds.s = time(s);
  const result = (await session.run(feeds))[session.outputNames[0]!]!;
  const values = (await result.getData()) as Float32Array | Uint8Array;
  return { values: values.slice(), shape: result.dims };
};

let current: Loaded | undefined;
const shapes = new Map<string, readonly number[]>();

const handle = async (message: Request, answer: (part: Record<string, unknown>) => void): Promise<void> => {
  if (message.kind === "load") {
    const { manifest, device, loaded } = await load(message.options, answer);
    current = loaded;
    for (const { inputs } of Object.values(manifest.models))
      for (const [name, { shape }] of Object.entries(inputs)) shapes.set(name, shape.slice(1) as number[]);
    answer({ kind: "loaded", manifest, device });
  } else answer({ kind: "ran", ...(await run(current!, message.request)) });
};

/** Requests one after another: a session runs one at a time. */
let turn: Promise<void> = Promise.resolve();
self.onmessage = ({ data }: MessageEvent<Request & { id: number }>) => {
  const answer = (part: Record<string, unknown>): void => self.postMessage({ id: data.id, ...part });
  turn = turn.then(() =>
    handle(data, answer).catch((thrown: unknown) =>
      answer({ kind: "failed", message: thrown instanceof Error ? thrown.message : String(thrown) }),
    ),
  );
};
