/**
 * Where a worker's compiled file is: beside the asking module, or in dist/ when that module is run from TypeScript
 * source. `workerUrl(import.meta.url, "./worker.js")`.
 */
export const workerUrl = (asking: string, file: string): URL => {
  const { href } = new URL(file, asking);
  if (!asking.endsWith(".ts")) return new URL(href);
  const at = href.lastIndexOf("/src/");
  return new URL(`${href.slice(0, at)}/dist/${href.slice(at + "/src/".length)}`);
};
