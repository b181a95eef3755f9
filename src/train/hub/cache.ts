import { homedir } from "node:os";
import { join } from "node:path";

/** Where downloads are kept: $SOFLOW_CACHE, else soflow in $XDG_CACHE_HOME or ~/.cache. */
export const cacheFolder = (given?: string): string =>
  given ?? process.env.SOFLOW_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "soflow");
