import { UserError } from "../errors.js";

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === "string" && value.length <= 1000;
const isCount = (value: unknown, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
const isList = (value: unknown, entry: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(entry);

/** A file beside the manifest: its name is no path to elsewhere. */
const isFile = (file: unknown): boolean =>
  isObject(file) &&
  /^[A-Za-z0-9][\w.-]*$/.test(String(file.name)) &&
  isCount(file.bytes, 2 ** 40) &&
  /^[0-9a-f]{64}$/.test(String(file.sha256));

const isTensor = (value: unknown): boolean =>
  isObject(value) && isText(value.dtype) && isList(value.shape, (axis) => axis === "N" || isCount(axis, 2 ** 31));
const areTensors = (value: unknown): boolean => isObject(value) && Object.values(value).every(isTensor);
const isModel = (value: unknown): boolean =>
  isObject(value) &&
  areTensors(value.inputs) &&
  areTensors(value.outputs) &&
  (value.looseOnGpu === undefined || isList(value.looseOnGpu, isText));

const isNetwork = (value: unknown): boolean =>
  isObject(value) && isCount(value.channels, 2 ** 10) && isCount(value.imageSize, 2 ** 12);

/** The fields that a page reads, each with what it must be. */
const problemOf = ({ model, images, models, files }: Fields): string | undefined => {
  const { network, method, classes } = isObject(model) ? model : {};
  if (!isNetwork(network)) return "model.network has no size and channels that an image can have";
  if (!isObject(method) || !isText(method.kind)) return "model.method has no kind";
  if (!isList(classes, isText)) return "model.classes is no list of names";
  if (images !== "float32" && images !== "uint8") return "images is neither float32 nor uint8";
  if (!isList(files, isFile)) return "files is no list of names, bytes and SHA-256 checksums";
  if (!isObject(models) || !Object.values(models).every(isModel)) return "models has no inputs and outputs";
  const names = (files as readonly { readonly name: string }[]).map(({ name }) => name);
  const missing = ["model.onnx", ...Object.keys(models)].find((name) => !names.includes(name) || !(name in models));
  return missing && `${missing} is not among its files and models`;
};

const VERSION = 1;

/**
 * Throws a `UserError` of one line for a manifest.json that `soflow export` did not write, or that a later version of it wrote.
 * `url` is where it was found. It needs nothing but this file, so that a page stays small.
 */
export const checkManifest = (manifest: unknown, url: string): void => {
  if (!isObject(manifest) || manifest.format !== "soflow-export")
    throw new UserError(`${url} is not a folder that soflow export wrote`);
  const { version } = manifest;
  if (typeof version === "number" && version > VERSION)
    throw new UserError(
      `${url} is an export of version ${version}, and this soflow reads version ${VERSION}; upgrade soflow`,
    );
  const problem = version === VERSION ? problemOf(manifest) : `version is ${JSON.stringify(version)}, not ${VERSION}`;
  if (problem !== undefined) throw new UserError(`${url} has a manifest.json that cannot be used: ${problem}`);
};
