import type { Tensor } from "../graph/tensor.js";
import { along, type OneTimeNetwork, type Path } from "../paths/index.js";
import { perSample } from "./adaptive.js";
import type { Loss } from "./objective.js";
import type { Samples } from "./samples.js";

/** t [B 1 …] in (0, 1). */
export type FlowMatchingDraws = Samples & { readonly t: Tensor };

/** Flow matching. Lipman et al. 2022, arXiv:2210.02747.   L = E mean (v̂(x_t, t) − v_t)² */
export const flowMatching =
  ({ network, path }: { readonly network: OneTimeNetwork; readonly path: Path }) =>
  (draws: FlowMatchingDraws): Loss & { readonly prediction: Tensor } => {
    const { x_t, v_t } = along(path, draws.t, draws);
    const prediction = network(x_t, draws.t, draws.c);
    const loss = perSample(prediction.sub(v_t).square()).mean();
    return { loss, report: { mse: loss }, prediction };
  };
