import { nth } from "../graph/lists.js";
import { check } from "./define.js";
import { example, reject } from "./examples.js";
import { linear, type Unary } from "./families.js";
import { at, fromIndices, normalAxis, resized, shifted } from "./ndarray.js";

type Range = { readonly axis: number; readonly start: number; readonly end: number };
type Margins = { readonly axis: number; readonly before: number; readonly after: number };

/** Elements start … end−1 along one axis. */
export const slice: Unary<Range> = linear({
  name: "slice",
  infer: (x, { axis, start, end }) => {
    const along = normalAxis(axis, x.shape.length);
    const size = nth(x.shape, along);
    check(0 <= start && start <= end && end <= size, `range ${start}…${end} is outside axis ${axis} of size ${size}`);
    return { dtype: x.dtype, shape: resized(x.shape, along, end - start) };
  },
  adjoint: (ct, x, { attributes: { axis, start, end } }) => pad(ct, { axis, before: start, after: x.dim(axis) - end }),
  onnx: (graph, x, { axis, start, end }) =>
    graph.node("Slice", [x, graph.integers([start]), graph.integers([end]), graph.integers([axis])]),
  reference: (x, { axis, start }, y) => {
    const along = normalAxis(axis, x.shape.length);
    return fromIndices(y.shape, (index) => at(x, shifted(index, along, start)));
  },
  simplify: (x, { axis, start, end }) => (start === 0 && end === x.dim(axis) ? x : null),
  examples: [
    example("[5 3]", { axis: 0, start: 1, end: 4 }),
    example("[2 3 4]", { axis: -1, start: 0, end: 2 }),
    example("[4]", { axis: 0, start: 3, end: 4 }),
  ],
  rejects: [
    reject("[4]", /range 2…5 is outside axis 0 of size 4: x is float32\[4\]/, { axis: 0, start: 2, end: 5 }),
    reject("[4]", /axis 1 is outside a tensor of rank 1/, { axis: 1, start: 0, end: 1 }),
  ],
});

/** Zeros added before and after x along one axis. */
export const pad: Unary<Margins> = linear({
  name: "pad",
  infer: (x, { axis, before, after }) => {
    const along = normalAxis(axis, x.shape.length);
    check(before >= 0 && after >= 0, `margins ${before} and ${after} must not be negative`);
    return { dtype: x.dtype, shape: resized(x.shape, along, before + nth(x.shape, along) + after) };
  },
  adjoint: (ct, x, { attributes: { axis, before } }) => slice(ct, { axis, start: before, end: before + x.dim(axis) }),
  onnx: (graph, x, { axis, before, after }, { y }) => {
    const margins = graph.integers([before, after]);
    return graph.node("Pad", [x, margins, graph.scalar(0, y.dtype), graph.integers([axis])]);
  },
  reference: (x, { axis, before }, y) => {
    const along = normalAxis(axis, x.shape.length);
    const size = nth(x.shape, along);
    return fromIndices(y.shape, (index) => {
      const place = nth(index, along) - before;
      return place < 0 || place >= size ? 0 : at(x, shifted(index, along, -before));
    });
  },
  simplify: (x, { before, after }) => (before === 0 && after === 0 ? x : null),
  examples: [example("[2 3]", { axis: 1, before: 1, after: 2 }), example("[4]", { axis: 0, before: 0, after: 3 })],
  rejects: [
    reject("[2]", /margins -1 and 0 must not be negative: x is float32\[2\]/, { axis: 0, before: -1, after: 0 }),
  ],
});
