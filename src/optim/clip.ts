import type { Tensor } from "../graph/tensor.js";
import { sqrt } from "../ops/index.js";

/** ‖g‖ over all tensors together: √ Σ g². */
export const globalNorm = (tensors: readonly Tensor[]): Tensor =>
  sqrt(tensors.map((g) => g.square().sum()).reduce((a, b) => a.add(b)));

/** The factor that brings a gradient of this norm to at most `limit`: min(1, limit / (‖g‖ + 1e-6)), as in PyTorch. */
export const clipFactor = (norm: number, limit: number): number => Math.min(limit / (norm + 1e-6), 1);
