import { stringify } from "yaml";
import type { ImageShape } from "../../data/index.js";
import { type Config, imageShape, parseConfig, parseWith, readConfigFile } from "../config/index.js";
import { isOfficial, type Official, translateOfficial } from "../config/official.js";
import { commonSections, sections } from "../config/schema.js";
import { parseYaml } from "../config/yaml.js";

/** What an import needs to know: a whole configuration, or one whose data this version has no kind for. */
export type ImportConfig = {
  readonly config: Omit<Config, "data"> & Partial<Pick<Config, "data">>;
  readonly shape: ImageShape;
};

const withoutData = sections.omit({ data: true });

const square = ({ size, channels }: { size: number; channels: number }): ImageShape => ({
  channels,
  height: size,
  width: size,
});

/** The official configuration in a text, if it is one. */
const officialIn = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const { value } = parseYaml(text, "config");
    return isOfficial(value) ? value : undefined;
  } catch {
    return undefined; // parseConfig says where it is no YAML
  }
};

/** Reads our configuration, or the official code's. Overrides are in our terms. Throws `UserError`, as `parseConfig`. */
export const readImportConfig = (file: string, overrides: readonly string[]): ImportConfig => {
  const { text, name } = readConfigFile(file, "train");
  const official = officialIn(text);
  if (official) return fromOfficial(translateOfficial(official, name), `${name} (translated)`, overrides);
  const config = parseConfig(text, name, overrides);
  return { config, shape: square(imageShape(config.data)) };
};

const fromOfficial = (official: Official, name: string, overrides: readonly string[]): ImportConfig => {
  const data = dataOf(official);
  if (overrides.some((override) => /^\s*data\b/.test(override))) {
    const config = parseConfig(stringify({ ...official.sections, ...(data && { data }) }), name, overrides);
    return { config, shape: square(imageShape(config.data)) };
  }
  const shape = square(official.image);
  if (data) return { config: parseConfig(stringify({ ...official.sections, data }), name, overrides), shape };
  return { config: { ...parseWith(withoutData, stringify(official.sections), name, overrides), out: "" }, shape };
};

/** The data section for what an official file trains on, where there is a kind for it. The official CIFAR-10 has no labels. */
const dataOf = ({ dataset: { kind, path = ".", augment }, image }: Official): Config["data"] | undefined => {
  const latents = { kind: "latents", path, ...image };
  return commonSections.data.safeParse(kind === "imagenet" ? latents : { kind, path, labels: false, augment }).data;
};
