import { editPath } from "../editing/index.js";
import { sizeOf } from "../graph/dtype.js";
import { methodOf } from "../methods/index.js";
import { type ModelDescription, openNetwork, outputKind } from "../train/model.js";
import type { ModelInfo } from "./protocol.js";

/** What is said of a model; `shown` is the size of what comes out, where an autoencoder follows. */
export const infoOf = (
  name: string,
  description: ModelDescription,
  shown?: Pick<ModelInfo, "channels" | "size">,
): ModelInfo => {
  const { network, method, classes } = description;
  return {
    name,
    method: method.kind,
    methodName: methodOf(method.kind).name,
    size: shown?.size ?? network.imageSize,
    channels: shown?.channels ?? network.channels,
    classes: [...classes],
    parameters: openNetwork(network).parameters.reduce((sum, { tensor }) => sum + sizeOf(tensor.shape), 0),
    steps: methodOf(method.kind).samplers.usual.steps,
    canEdit: editPath(method) !== undefined,
    canExport: methodOf(method.kind).samplers.usual.steps === 1 && outputKind(network) === "images",
  };
};
