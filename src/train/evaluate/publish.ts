import { join } from "node:path";
import { type Features, frechetDistance, momentsOf, type Products } from "../../eval/index.js";
import { writeFileAtomically } from "../files.js";
import { BLOCK } from "./blocks.js";
import { findNeighbours, neighbourRows } from "./neighbours.js";
import type { Reference } from "./reference.js";
import { type Pictures, reportPage } from "./report.js";
import type { Results } from "./results.js";
import type { Gathered, Statistics } from "./score.js";

/** Images of the reference that are halved to see what perfect samples would score. */
const HALVED = 5000;
/** Samples whose nearest images are shown. */
const NEIGHBOURS = 8;

/** The distance of the first images' one half to their other; undefined for fewer than four. */
export const distanceOfHalves = async (
  { data, dimensions: D }: Features,
  images: Products,
): Promise<number | undefined> => {
  const rows = Math.floor(Math.min(data.length / D, HALVED) / 2);
  if (rows < 2) return undefined;
  const moments = (from: number) =>
    momentsOf({ data: data.subarray(from * D, (from + rows) * D), dimensions: D }, BLOCK, images);
  return frechetDistance(await moments(0), await moments(rows));
};

/** Writes results.json and index.html, with the nearest images of the first samples where the reference has images of their size. */
export const writeResults = async (
  out: string,
  results: Results,
  pictures: Omit<Pictures, "neighbours">,
  samples: Gathered,
  reference: Reference | Statistics,
): Promise<Results> => {
  const data = "set" in reference && reference.set.size === pictures.size ? reference : undefined;
  const [D, each] = [samples.moments.dimensions, pictures.size ** 2 * 3];
  const few = pictures.samples.subarray(0, NEIGHBOURS * each);
  const features = { data: samples.few.data.subarray(0, (few.length / each) * D), dimensions: D };
  const near = data && (await findNeighbours(few, features, data.set, data.folder));
  const neighbours = data && near ? await neighbourRows(near, few, data.set) : undefined;
  const all: Results = near ? { ...results, neighbours: near } : results;
  await writeFileAtomically(join(out, "index.html"), await reportPage(all, { ...pictures, neighbours }));
  await writeFileAtomically(join(out, "results.json"), `${JSON.stringify(all, null, 2)}\n`);
  return all;
};
