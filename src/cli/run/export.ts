import { exportModel } from "../../train/export/export.js";
import type { ExportOptions } from "../export.js";

/** `soflow export`: writes the folder and says how large, how fast and how near it is. */
export const run = async (options: ExportOptions, out: (text: string) => void): Promise<void> => {
  const { measured, precision } = await exportModel(options);
  const { bytes, distance, milliseconds } = measured;
  out(
    `${options.out}: ${precision}, ${(bytes / 1e6).toFixed(1)} MB, ${milliseconds.toFixed(1)} ms an image, ` +
      `${distance.toExponential(1)} of the images' norm from the trained model\n`,
  );
};
