import type { Comparison } from "../result.js";
import { number } from "./numbers.js";

export type Fact = readonly [name: string, text: string];

const several = (values: readonly (string | number)[]): string => [...new Set(values)].join(", ");

const thousands = (count: number): string => count.toLocaleString("en-US");

const parametersOf = ({ methods }: Comparison): string => {
  const counts = methods.map(({ parameters }) => parameters);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? `${thousands(least)} parameters` : `${thousands(least)} to ${thousands(most)} parameters`;
};

/** What fresh data score under the main metric; undefined where it was not measured. */
export const floorOf = ({ floor, metric }: Comparison): number | undefined => {
  const value = floor[metric.key];
  return Number.isFinite(value) ? value : undefined;
};

/** What every method had in common, for people. */
export const setting = (comparison: Comparison): readonly Fact[] => {
  const { data, network, budget, batch, methods, metric, samples } = comparison;
  const floor = floorOf(comparison);
  return [
    ["data", data],
    ["network", `${network}; ${parametersOf(comparison)}`],
    ["budget", `${budget}, batches of ${batch}`],
    ["seeds", several(methods.map(({ seed }) => seed))],
    ["metric", `${metric.label}: ${metric.about}`],
    ["samples", `${thousands(samples)} behind each number`],
    ...(floor === undefined ? [] : [["floor", `${number(floor)}, which fresh data score`] as const]),
  ];
};

/** Where it ran. */
export const machineOf = ({ machine }: Comparison): Fact => {
  const { processor, threads, node, onnxruntime, soflow } = machine;
  const cores = `${threads} ${threads === 1 ? "thread" : "threads"}`;
  return ["machine", `${processor}, ${cores}; Node ${node}, ONNX Runtime ${onnxruntime}, soflow ${soflow}`];
};
