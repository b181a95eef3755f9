import { sizeOf } from "../../graph/dtype.js";

/** A tensor as PyTorch sees it: element [i, j, …] is number offset + i·strides[0] + j·strides[1] + … of a storage. */
export type View = {
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
};

const MOST_AXES = 64;
/** Elements that a view may have beyond those of its storage: `expand` repeats some, a hostile file all there is. */
const MOST_REPEATED = 2 ** 20;

/** Number of storage elements from the first to the last that a view touches. */
export const spanOf = ({ shape, strides }: Omit<View, "offset">): number =>
  shape.includes(0) ? 0 : shape.reduce((span, size, axis) => span + (size - 1) * strides[axis]!, 1);

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

const areCounts = (values: readonly unknown[]): values is number[] => values.every(isCount);

/** What is wrong with a view of a storage of `elements`; undefined when nothing is. */
export const viewProblem = (
  offset: unknown,
  shape: readonly unknown[],
  strides: readonly unknown[],
  elements: number,
): string | undefined => {
  if (!isCount(offset) || !areCounts(shape) || !areCounts(strides))
    return "its offset, sizes and strides must be whole numbers of at least 0";
  if (shape.length !== strides.length || shape.length > MOST_AXES)
    return `it has ${shape.length} sizes and ${strides.length} strides; as many of both, at most ${MOST_AXES}, are read`;
  const last = offset + spanOf({ shape, strides });
  if (last > elements && spanOf({ shape, strides }) > 0)
    return `it reaches to element ${last} of a storage of ${elements}`;
  if (!(sizeOf(shape) <= Math.max(elements, MOST_REPEATED)))
    return `it has ${sizeOf(shape)} elements, in a storage of ${elements}`;
  return undefined;
};

/** Whether the elements lie row by row without gaps; strides of axes of one element do not matter. */
export const isContiguous = ({ shape, strides }: View): boolean => {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
};

/** Strides of a tensor that lies row by row. */
export const rowStrides = (shape: readonly number[]): number[] => {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
};

/** Part of a view that is read at once, and where its elements go: place to + i·toStrides[0] + … of the result. */
export type Chunk = View & { readonly to: number; readonly toStrides: readonly number[] };

const without = (values: readonly number[], axis: number): number[] => values.filter((_, i) => i !== axis);

/** Cuts a view along its widest axes until each part spans at most `most` elements, or no more than it has. */
export function* chunksOf(
  view: View,
  most: number,
  to = 0,
  toStrides: readonly number[] = rowStrides(view.shape),
): Generator<Chunk> {
  const { offset, shape, strides } = view;
  const [span, count] = [spanOf(view), sizeOf(shape)];
  if (count === 0) return;
  if (span <= Math.max(most, count)) {
    yield { ...view, to, toStrides };
    return;
  }
  const extents = strides.map((stride, axis) => stride * (shape[axis]! - 1));
  const widest = extents.indexOf(Math.max(...extents));
  const inner = { shape: without(shape, widest), strides: without(strides, widest) };
  for (let i = 0; i < shape[widest]!; i++) {
    const part = { ...inner, offset: offset + i * strides[widest]! };
    yield* chunksOf(part, most, to + i * toStrides[widest]!, without(toStrides, widest));
  }
}

/** Copies the elements of a chunk to their places; `elements` begins with the chunk's first. */
export const scatter = <T extends { [i: number]: unknown }>(elements: T, chunk: Chunk, out: T): void => {
  const { shape, strides, toStrides } = chunk;
  const walk = (axis: number, from: number, to: number): void => {
    if (axis === shape.length) out[to] = elements[from];
    else for (let i = 0; i < shape[axis]!; i++) walk(axis + 1, from + i * strides[axis]!, to + i * toStrides[axis]!);
  };
  walk(0, 0, chunk.to);
};
