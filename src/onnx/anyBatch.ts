import { type HostArray, sizeOf } from "../graph/dtype.js";
import { zip } from "../graph/lists.js";
import type { OnnxConstant, OnnxModel, OnnxNode } from "./model.js";

const BATCH = "batch";

const elements = (data: HostArray): readonly (number | bigint)[] => Array.from<number | bigint>(data);

const sameValues = (a: HostArray, b: HostArray): boolean =>
  a.length === b.length && elements(a).every((value, i) => value === b[i]);

const refuse = (name: string, what: string): never => {
  throw new Error(`model ${name}: ${what} depends on the batch in a way that is not linear`);
};

/** Names for what is computed at the head of the model from the size of the batch. */
class Head {
  readonly nodes: OnnxNode[] = [];
  readonly constants: OnnxConstant[] = [];

  constructor(private readonly source: string) {}

  /** The size of the batch, once something depends on it. */
  private batch(): string {
    const attributes = { start: 0, end: 1 };
    if (this.nodes.length === 0)
      this.nodes.push({ name: BATCH, type: "Shape", inputs: [this.source], outputs: [BATCH], attributes });
    return BATCH;
  }

  private integers(name: string, values: readonly bigint[]): string {
    const type = { dtype: "int64", shape: [values.length] } as const;
    this.constants.push({ name, type, data: BigInt64Array.from(values) });
    return name;
  }

  /** The vector per · N + least under a name. */
  vector(name: string, per: readonly bigint[], least: readonly bigint[]): void {
    const inputs = [this.batch(), this.integers(`${name}.per`, per)];
    this.nodes.push({ name: `${name}.scaled`, type: "Mul", inputs, outputs: [`${name}.scaled`] });
    const sum = [`${name}.scaled`, this.integers(`${name}.least`, least)];
    this.nodes.push({ name, type: "Add", inputs: sum, outputs: [name] });
  }

  /** One value, or one row, repeated to a shape that is computed. */
  repeated({ name, type, data }: OnnxConstant, part: readonly number[], shape: string): void {
    const one = data.slice(0, sizeOf(part));
    this.constants.push({ name: `${name}.value`, type: { ...type, shape: part }, data: one });
    this.nodes.push({ name, type: "Expand", inputs: [`${name}.value`, shape], outputs: [name] });
  }
}

/** v₂ = 2 p + c and v₃ = 3 p + c: p and c of every element. */
const linear = (two: readonly bigint[], three: readonly bigint[]) => {
  const both = zip(two, three);
  return { per: both.map(([v2, v3]) => v3 - v2), least: both.map(([v2, v3]) => v2 - 2n * (v3 - v2)) };
};

/** What both constants repeat: one value, or one row for every sample; undefined where it is neither. */
const repeatedPart = (two: OnnxConstant, three: OnnxConstant): readonly number[] | undefined => {
  const row = [1, ...two.type.shape.slice(1)];
  const repeats = ({ data }: OnnxConstant, size: number): boolean =>
    data.length > 0 && elements(data).every((value, i) => value === two.data[i % size]);
  return [[], row].find((part) => repeats(two, sizeOf(part)) && repeats(three, sizeOf(part)));
};

/** A shape with −1 for its only size that depends on the batch: Reshape computes that one itself. */
const inferred = (two: OnnxConstant, three: OnnxConstant): OnnxConstant | undefined => {
  if (!(two.data instanceof BigInt64Array)) return undefined;
  const data = two.data.map((value, i) => (value === three.data[i] ? value : -1n));
  return data.filter((value) => value < 0n).length === 1 ? { ...two, data } : undefined;
};

/** Whether a constant is nothing but the shape of reshapes. */
const isShapeOnly = ({ nodes }: OnnxModel, { name, data }: OnnxConstant): boolean =>
  data instanceof BigInt64Array &&
  nodes.every(({ type, inputs }) => !inputs.includes(name) || (type === "Reshape" && inputs.indexOf(name) === 1));

/** Takes over a constant: as it is when the batch does not matter, else computed from the batch. */
const take = (model: OnnxModel, head: Head, two: OnnxConstant, three: OnnxConstant): void => {
  const shape = isShapeOnly(model, two) ? inferred(two, three) : undefined;
  if (`${two.type.shape}` === `${three.type.shape}` && sameValues(two.data, three.data)) {
    head.constants.push(two);
  } else if (shape) {
    head.constants.push(shape);
  } else if (
    two.data instanceof BigInt64Array &&
    three.data instanceof BigInt64Array &&
    two.data.length === three.data.length
  ) {
    const { per, least } = linear([...two.data], [...three.data]);
    head.vector(two.name, per, least);
  } else {
    const part = repeatedPart(two, three) ?? refuse(model.name, `constant ${two.name}`);
    const shape = `${two.name}.shape`;
    const { per, least } = linear(two.type.shape.map(BigInt), three.type.shape.map(BigInt));
    head.vector(shape, per, least);
    head.repeated(two, part, shape);
  }
};

const essence = (node: OnnxNode): string => JSON.stringify(node);

/**
 * A model for batches of any size, from the same model for batches of two and of three: wherever the two differ, in shapes that
 * are constants of theirs, the difference tells how the batch enters. A reshape infers its one size that does; other shapes are
 * computed from the batch of input `source`. Throws where they differ in anything else.
 */
export const anyBatch = (build: (batch: number) => OnnxModel, source: string): OnnxModel => {
  const [two, three] = [build(2), build(3)];
  if (two.nodes.length !== three.nodes.length || two.constants.length !== three.constants.length)
    refuse(two.name, "the number of its operations");
  for (const [node, other] of zip(two.nodes, three.nodes))
    if (essence(node) !== essence(other)) refuse(two.name, `operation ${node.name}`);
  const head = new Head(source);
  for (const [constant, other] of zip(two.constants, three.constants)) take(two, head, constant, other);
  const varies = (side: "inputs" | "outputs") =>
    Object.keys(two[side]).filter((name) => two[side][name]?.shape[0] !== three[side][name]?.shape[0]);
  return {
    ...two,
    nodes: [...head.nodes, ...two.nodes],
    constants: head.constants,
    batch: { name: "N", values: [...varies("inputs"), ...varies("outputs")] },
  };
};
