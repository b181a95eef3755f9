import type * as Ort from "onnxruntime-web";
import { checkManifest } from "../checks/manifest.js";
import { WEB_FILES } from "../runtime/webFiles.js";
import type { Manifest } from "../train/export/manifest.js";
import { fetchJson, fetchKept } from "./fetching.js";
import type { Device, LoadedModel, LoadOptions, Progress } from "./messages.js";

/** ONNX Runtime with the models of an exported folder, by file name. */
export type Sessions = { readonly ort: typeof Ort; readonly byName: ReadonlyMap<string, Ort.InferenceSession> };

const DATA = "model.onnx_data";

type Gpu = { requestAdapter(): Promise<{ readonly info?: { readonly isFallbackAdapter?: boolean } } | null> };

/** Whether there is a GPU: WebGPU in software is slower than WebAssembly. */
const hasGpu = async (): Promise<boolean> => {
  const adapter = await (navigator as { gpu?: Gpu }).gpu?.requestAdapter().catch(() => null);
  return Boolean(adapter) && adapter?.info?.isFallbackAdapter !== true;
};

/** The devices to try, one after another. */
const devicesFor = async (device: LoadOptions["device"]): Promise<readonly Device[]> => {
  if (device !== "auto") return [device];
  return (await hasGpu()) ? ["webgpu", "wasm"] : ["wasm"];
};

const withSlash = (url: string): string => (url.endsWith("/") ? url : `${url}/`);

type Files = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

const fetchFiles = async (
  base: string,
  { files, models }: Manifest,
  { headers }: LoadOptions,
  onProgress: (progress: Progress) => void,
): Promise<Files> => {
  const needed = files.filter(({ name }) => name === DATA || name in models);
  const total = needed.reduce((sum, { bytes }) => sum + bytes, 0);
  const found = new Map<string, Uint8Array<ArrayBuffer>>();
  let loaded = 0;
  for (const file of needed) {
    const onBytes = (count: number): void => {
      loaded += count;
      onProgress({ file: file.name, loaded, total });
    };
    found.set(file.name, await fetchKept(base, file, headers, onBytes));
  }
  return found;
};

const threadsOn = (device: Device, { threads }: LoadOptions): number =>
  device === "wasm" && self.crossOriginIsolated ? threads : 1;

const openRuntime = async (options: LoadOptions, device: Device): Promise<typeof Ort> => {
  const base = withSlash(options.runtime);
  const ort = (await import(/* @vite-ignore */ base + WEB_FILES[device].script)) as typeof Ort;
  ort.env.wasm.wasmPaths = base;
  ort.env.wasm.numThreads = threadsOn(device, options);
  return ort;
};

/** What runs a model: a GPU leaves to the CPU what it would compute too loosely. */
const provider = (device: Device, looseOnGpu: readonly string[] | undefined) =>
  device === "webgpu" && looseOnGpu ? { name: device, forceCpuNodeNames: looseOnGpu } : device;

const openSessions = async (
  files: Files,
  { models }: Manifest,
  options: LoadOptions,
  device: Device,
): Promise<Sessions> => {
  const ort = await openRuntime(options, device);
  const externalData = [{ path: DATA, data: files.get(DATA)! }];
  const byName = new Map<string, Ort.InferenceSession>();
  for (const [name, { looseOnGpu }] of Object.entries(models)) {
    const executionProviders = [provider(device, looseOnGpu)];
    byName.set(name, await ort.InferenceSession.create(files.get(name)!, { executionProviders, externalData }));
  }
  return { ort, byName };
};

/** Loads a model and ONNX Runtime. Throws one line that says what was wrong. */
export const load = async (
  options: LoadOptions,
  onProgress: (progress: Progress) => void,
): Promise<{ model: LoadedModel; sessions: Sessions }> => {
  const base = withSlash(options.url);
  const manifest = await fetchJson<Manifest>(`${base}manifest.json`, options.headers);
  checkManifest(manifest, base);
  const [files, devices] = [await fetchFiles(base, manifest, options, onProgress), await devicesFor(options.device)];
  for (const [i, device] of devices.entries())
    try {
      const sessions = await openSessions(files, manifest, options, device);
      return { model: { manifest, device, threads: threadsOn(device, options) }, sessions };
    } catch (thrown) {
      if (i === devices.length - 1) throw thrown; // a GPU that cannot run the model leaves WebAssembly
    }
  throw new Error("there is no device to run on");
};
