import { SITE_MARK, type SiteList } from "../../src/serve/siteList.js";
import { GeneratorError } from "./generator.js";
import type { PageSource } from "./page.js";

/** Where the page of a static site says its models are listed; undefined behind `soflow serve`. */
const LIST = document.querySelector<HTMLMetaElement>(`meta[name="${SITE_MARK}"]`)?.content;

/** Most images at once. */
const MAX_COUNT = 100;

const siteSource = (address: string): PageSource => {
  const folders = new Map<string, string>();
  return {
    models: async (signal) => {
      const response = await fetch(address, { signal: signal ?? null }).catch(() => undefined);
      if (!response?.ok) throw new GeneratorError("offline", `${address} cannot be read`);
      const { models } = (await response.json()) as SiteList;
      for (const { name, folder } of models) folders.set(name, folder);
      return { models: [...models], provider: "", maxCount: MAX_COUNT };
    },
    folder: (model) => folders.get(model)!,
    headers: () => ({}),
  };
};

/** The models of a static site; undefined behind `soflow serve`. */
export const SITE: PageSource | undefined = LIST === undefined ? undefined : siteSource(LIST);
