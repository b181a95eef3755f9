import sharp from "sharp";
import type { Picture } from "../formats/grid.js";
import { mosaic } from "../formats/mosaic.js";
import type { Cell, Comparison, MethodResult } from "./result.js";

const decode = async (url: string): Promise<Picture> => {
  const bytes = Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, rgb: new Uint8Array(data) };
};

/** The cells of a method in the order of the table: the usual sampler at each number of evaluations, then the longest. */
const inOrder = ({ cells }: MethodResult, evaluations: readonly number[]): (Cell | undefined)[] => {
  const usual = evaluations.map((n) => cells.find((cell) => cell.usual && cell.evaluations === n));
  const longest = cells.at(-1);
  return [
    ...usual,
    longest && !longest.usual && !["renoise", "solution"].includes(longest.sampler) ? longest : undefined,
  ];
};

/** One picture of the first seed's sheets: a row a method, a column a number of evaluations, the longest run last. */
export const sheetMosaic = async ({ methods, evaluations }: Comparison): Promise<Picture> => {
  const first = methods.filter(({ seed }) => seed === methods[0]!.seed);
  const rows = first.map((method) => inOrder(method, evaluations));
  return mosaic(
    await Promise.all(rows.map((row) => Promise.all(row.map((cell) => (cell ? decode(cell.sheet) : undefined))))),
  );
};
