import { check, defineOp, type OpFunction } from "./define.js";
import { fromIndices, normalAxis } from "./ndarray.js";

type Range = { readonly axis: number; readonly start: number; readonly end: number };
type Margins = { readonly axis: number; readonly before: number; readonly after: number };

/** Elements start … end−1 along one axis. */
export const slice: OpFunction<readonly ["x"], Range> = defineOp({
  name: "slice",
  inputs: ["x"],
  infer: ({ x }, { axis, start, end }) => {
    const along = normalAxis(axis, x.shape.length);
    const size = x.shape[along]!;
    check(0 <= start && start <= end && end <= size, `range ${start}…${end} is outside axis ${axis} of size ${size}`);
    return { dtype: x.dtype, shape: x.shape.map((d, i) => (i === along ? end - start : d)) };
  },
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => slice(dx, attributes),
      vjp: ({ x }, ct, { attributes: { axis, start, end } }) =>
        pad(ct, { axis, before: start, after: x.dim(axis) - end }),
    },
  },
  onnx: (graph, { x }, { axis, start, end }) =>
    graph.node("Slice", [x, graph.integers([start]), graph.integers([end]), graph.integers([axis])]),
  reference: ({ x }, { axis, start }, [y]) => {
    const along = normalAxis(axis, x.shape.length);
    return fromIndices(y!.shape, (index) => {
      const flat = x.shape.reduce((n, size, i) => n * size + index[i]! + (i === along ? start : 0), 0);
      return x.data[flat]!;
    });
  },
  simplify: ({ x }, { axis, start, end }) => (start === 0 && end === x.dim(axis) ? x : null),
  examples: [
    { inputs: [[5, 3]], attributes: { axis: 0, start: 1, end: 4 } },
    { inputs: [[2, 3, 4]], attributes: { axis: -1, start: 0, end: 2 } },
    { inputs: [[4]], attributes: { axis: 0, start: 3, end: 4 } },
  ],
  rejects: [
    { inputs: [[4]], attributes: { axis: 0, start: 2, end: 5 }, message: /range 2…5 is outside axis 0 of size 4/ },
    { inputs: [[4]], attributes: { axis: 1, start: 0, end: 1 }, message: /axis 1 is outside a tensor of rank 1/ },
  ],
});

/** Zeros added before and after x along one axis. */
export const pad: OpFunction<readonly ["x"], Margins> = defineOp({
  name: "pad",
  inputs: ["x"],
  infer: ({ x }, { axis, before, after }) => {
    const along = normalAxis(axis, x.shape.length);
    check(before >= 0 && after >= 0, `margins ${before} and ${after} must not be negative`);
    return { dtype: x.dtype, shape: x.shape.map((d, i) => (i === along ? before + d + after : d)) };
  },
  wrt: {
    x: {
      jvp: (_, dx, { attributes }) => pad(dx, attributes),
      vjp: ({ x }, ct, { attributes: { axis, before } }) =>
        slice(ct, { axis, start: before, end: before + x.dim(axis) }),
    },
  },
  onnx: (graph, { x }, { axis, before, after }, node) => {
    const margins = graph.integers([before, after]);
    return graph.node("Pad", [x, margins, graph.scalar(0, node.outputs[0]!.dtype), graph.integers([axis])]);
  },
  reference: ({ x }, { axis, before }, [y]) => {
    const along = normalAxis(axis, x.shape.length);
    return fromIndices(y!.shape, (index) => {
      const inner = index.map((i, k) => (k === along ? i - before : i));
      if (inner[along]! < 0 || inner[along]! >= x.shape[along]!) return 0;
      return x.data[x.shape.reduce((n, size, i) => n * size + inner[i]!, 0)]!;
    });
  },
  simplify: ({ x }, { before, after }) => (before === 0 && after === 0 ? x : null),
  examples: [
    { inputs: [[2, 3]], attributes: { axis: 1, before: 1, after: 2 } },
    { inputs: [[4]], attributes: { axis: 0, before: 0, after: 3 } },
  ],
  rejects: [
    { inputs: [[2]], attributes: { axis: 0, before: -1, after: 0 }, message: /margins -1 and 0 must not be negative/ },
  ],
});
