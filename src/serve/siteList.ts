import type { ModelInfo } from "./protocol.js";

/** A model of a site: what it is, and its exported folder beside the page. */
export type SiteModel = ModelInfo & { readonly folder: string };

/** `models.json` of a folder that `soflow site` wrote. */
export type SiteList = { readonly format: "soflow-site"; readonly version: 1; readonly models: readonly SiteModel[] };

/** The name of the element in the page's head that makes it a site: its content is the address of `models.json`. */
export const SITE_MARK = "soflow-site";
