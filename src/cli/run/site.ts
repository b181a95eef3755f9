import { writeSite } from "../../serve/site.js";
import type { SiteOptions } from "../site.js";

/** `soflow site`: writes the folder and says what is in it and how to look at it. */
export const run = async (options: SiteOptions, out: (text: string) => void): Promise<void> => {
  const { models, bytes } = await writeSite(options);
  const names = models.map(({ name }) => name).join(", ");
  out(
    `${options.out}: ${names}, ${(bytes / 1e6).toFixed(1)} MB; to look at it: python3 -m http.server --directory ${options.out}\n`,
  );
};
