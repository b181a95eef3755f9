import type { HostArray, Shape } from "../graph/dtype.js";
import type { Parameter } from "../nn/index.js";
import { parameterInput } from "../nn/index.js";
import { fill } from "./fill.js";

/** Reference numbers: tensors by name, and what their makers say of them. */
export type Fixture = {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Float tensors as float32 or float64, integers as they are. */
  readonly tensors: ReadonlyMap<string, { readonly shape: Shape; readonly data: ArrayLike<number | bigint> }>;
};

/** One comparison: the largest error found, and the largest allowed. */
export type Check = { readonly name: string; readonly error: number; readonly tolerance: number };

/** Numbers of a fixture's tensor. */
export const numbersOf = (fixture: Fixture, name: string): number[] => {
  const tensor = fixture.tensors.get(name);
  if (!tensor) throw new Error(`${fixture.name} has no tensor ${name}`);
  return Array.from(tensor.data, Number);
};

export const float32Of = (fixture: Fixture, name: string): Float32Array<ArrayBuffer> =>
  Float32Array.from(numbersOf(fixture, name));
export const labelsOf = (fixture: Fixture, name: string): BigInt64Array<ArrayBuffer> =>
  BigInt64Array.from(numbersOf(fixture, name), BigInt);

/** A metadata entry that holds JSON. */
export const json = <T>(fixture: Fixture, name: string): T => {
  const text = fixture.metadata[name];
  if (text === undefined) throw new Error(`${fixture.name} has no metadata entry ${name}`);
  return JSON.parse(text) as T;
};

/** A filled input tensor: inputs have unit variance unless another scale is named. */
export const filled = (fixture: Fixture, name: string, shape: Shape, scale = Math.sqrt(3)): Float32Array<ArrayBuffer> =>
  fill((fixture.metadata.salt ?? "") + name, shape, scale);

/** Filled weights for every parameter of a network, by program input. */
export const filledParameters = (fixture: Fixture, parameters: readonly Parameter[]): Record<string, HostArray> => {
  const scale = Number(fixture.metadata.param_scale);
  return Object.fromEntries(
    parameters.map(({ name, tensor }) => {
      const values = filled(fixture, name, tensor.shape, scale);
      return [parameterInput(name), isScale(name) ? values.map((value) => 1 + value) : values];
    }),
  );
};

/** Weights of the U-Net's norms, which are filled around 1. */
const isScale = (name: string): boolean => /norm[0-2]?\.weight$/.test(name);

const numbers = (data: ArrayLike<number | bigint>): number[] => Array.from(data, Number);

/** max |a − b| / max |b|, the measure for forward passes. NaN where either is. */
export const relativeToLargest = (actual: ArrayLike<number | bigint>, wanted: ArrayLike<number | bigint>): number => {
  const [a, b] = [numbers(actual), numbers(wanted)];
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const worst = b.reduce((max, value, i) => worstOf(max, Math.abs(value - a[i]!)), 0);
  const largest = b.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return largest === 0 ? worst : worst / largest;
};

/** ‖a − b‖ / ‖b‖, the measure for gradients and trained weights. */
export const relativeInNorm = (actual: ArrayLike<number | bigint>, wanted: ArrayLike<number | bigint>): number => {
  const [a, b] = [numbers(actual), numbers(wanted)];
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const difference = Math.sqrt(b.reduce((sum, value, i) => sum + (value - a[i]!) ** 2, 0));
  const norm = Math.sqrt(b.reduce((sum, value) => sum + value ** 2, 0));
  return norm === 0 ? difference : difference / norm;
};

/** |a − b| / |b|, the measure for losses. */
export const relative = (actual: number, wanted: number): number =>
  wanted === 0 ? Math.abs(actual) : Math.abs(actual - wanted) / Math.abs(wanted);

/** The larger of two errors; NaN counts as the largest. */
export const worstOf = (a: number, b: number): number =>
  Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b);
