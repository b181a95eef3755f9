import type { Tensor } from "../graph/tensor.js";
import { along, type Path } from "../paths/index.js";
import { perSample } from "./adaptive.js";
import type { Loss } from "./objective.js";

/** A network that is told one time: a velocity v̂(x_t, t, y) or a noise ε̂(x_i, i, y). */
export type OneTimeNetwork = (x: Tensor, t: Tensor, y: Tensor) => Tensor;

/** x_0 and eps [B C H W]; t [B 1 1 1] in (0, 1); labels int64 [B], after dropout. */
export type FlowMatchingDraws = {
  readonly x_0: Tensor;
  readonly eps: Tensor;
  readonly t: Tensor;
  readonly labels: Tensor;
};

/** Flow matching. Lipman et al. 2022, arXiv:2210.02747.   L = E mean (v̂(x_t, t) − v_t)² */
export const flowMatching =
  ({ network, path }: { readonly network: OneTimeNetwork; readonly path: Path }) =>
  (draws: FlowMatchingDraws): Loss & { readonly prediction: Tensor } => {
    const { x_t, v_t } = along(path, draws.t, draws);
    const prediction = network(x_t, draws.t, draws.labels);
    const loss = perSample(prediction.sub(v_t).square()).mean();
    return { loss, report: { mse: loss }, prediction };
  };
