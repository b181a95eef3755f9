import type { Tensor } from "../graph/tensor.js";
import { argmax, cast, constant, equal, logSoftmax, mul, reshape } from "../ops/index.js";
import type { Loss } from "./objective.js";

/** Cross-entropy −ln softmax(scores)[label], averaged.   scores [B K], labels int64 [B] */
export const crossEntropy = (scores: Tensor, labels: Tensor): Loss => {
  const [batch, classes] = [scores.dim(0), scores.dim(1)];
  const column = reshape(labels, { shape: [batch, 1] });
  const hot = cast(
    equal(
      column,
      constant(
        Array.from({ length: classes }, (_, i) => i),
        [1, classes],
        "int64",
      ),
    ),
    { to: "float32" },
  );
  const loss = mul(hot, logSoftmax(scores))
    .sum()
    .mul(-1 / batch);
  const correct = cast(equal(argmax(scores), labels), { to: "float32" });
  return { loss, report: { accuracy: correct.mean() } };
};
