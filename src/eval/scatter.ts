import { UserError } from "../errors.js";
import { get } from "./floats.js";
import { BlockMoments, type MomentsNode } from "./moments.js";
import { countOf, type Features, meanOf, type Products, rowsOf } from "./pairs.js";

/** Features less their mean, a row for each dimension [D width]; beyond the features 0. */
const centredColumns = ({ data, dimensions: D }: Features, mean: Float64Array, width: number): Features => {
  const turned = new Float64Array(D * width);
  for (let i = 0; i * D < data.length; i++)
    for (let k = 0; k < D; k++) turned[k * width + i] = data[i * D + k]! - get(mean, k);
  return { data: turned, dimensions: width };
};

/** X Xᵀ of rows X [D width], half of it computed. */
const symmetricProduct = async (x: Features, products: Products): Promise<Float64Array> => {
  const D = countOf(x);
  const all = new Float64Array(D * D);
  for (let top = 0; top < D; top += products.rows)
    for (let left = 0; left <= top; left += products.rows) {
      const [bottom, right] = [Math.min(D, top + products.rows), Math.min(D, left + products.rows)];
      const part = await products.multiply(rowsOf(x, top, bottom), rowsOf(x, left, right));
      for (let i = top; i < bottom; i++)
        for (let j = left; j < right; j++)
          all[i * D + j] = all[j * D + i] = get(part, (i - top) * (right - left) + j - left);
    }
  return all;
};

/** The moments of block `index`, features [n D], by products of rows of `width` ≥ n numbers: S = Σ (x − mean)(x − mean)ᵀ. */
const blockMoments = async (
  index: number,
  features: Features,
  products: Products,
  width: number,
): Promise<MomentsNode> => {
  const count = countOf(features);
  const mean = meanOf(features);
  const wrong = mean.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) throw new UserError(`features: number ${wrong} is not finite in every image; they must be finite`);
  const scatter = await symmetricProduct(centredColumns(features, mean, width), products);
  return { level: 0, index, count, mean, scatter };
};

/**
 * Adds features [n D] to moments, in blocks of `width` images from block `first` on; `products` are of rows of `width` numbers. An
 * engine is far faster than `Moments` for thousands of dimensions. Throws a `UserError` for features that are not finite.
 */
export const addFeatures = async (
  moments: BlockMoments,
  features: Features,
  { first = 0, width, products }: { first?: number; width: number; products: Products },
): Promise<BlockMoments> => {
  for (let row = 0; row < countOf(features); row += width) {
    const block = rowsOf(features, row, Math.min(countOf(features), row + width));
    moments.addNode(await blockMoments(first + row / width, block, products, width));
  }
  return moments;
};

/** The moments of features [n D]; see `addFeatures`. */
export const momentsOf = (features: Features, width: number, products: Products): Promise<BlockMoments> =>
  addFeatures(new BlockMoments(features.dimensions), features, { width, products });
