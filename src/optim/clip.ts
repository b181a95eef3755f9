import type { Tensor } from "../graph/tensor.js";
import { div, minimum, scalar, sqrt } from "../ops/index.js";

/** ‖g‖ over all tensors together: √ Σ g². */
export const globalNorm = (tensors: readonly Tensor[]): Tensor =>
  sqrt(tensors.map((g) => g.square().sum()).reduce((a, b) => a.add(b)));

/** The factor that brings a gradient of this norm to at most `limit`: min(1, limit / (‖g‖ + 1e-6)), as in PyTorch. */
export const clipFactor = (norm: Tensor, limit: number): Tensor => minimum(div(scalar(limit), norm.add(1e-6)), 1);
