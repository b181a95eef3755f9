import { basename, resolve } from "node:path";
import { UserError } from "../errors.js";

/** A model as the command line names it. */
export type NamedSource = { readonly name: string; readonly path: string };

/** `digits=runs/quickstart` as a name and a path; without a name, the folder's own. */
export const nameAndPath = (text: string): NamedSource => {
  const [, name, path] = /^([A-Za-z0-9][\w.-]*)=(.+)$/.exec(text) ?? [];
  return name && path ? { name, path } : { name: basename(resolve(text)), path: text };
};

/** Names and paths of several models. Throws a `UserError` that begins with `who` where two have one name. */
export const namesAndPaths = (sources: readonly string[], who: string): readonly NamedSource[] => {
  const named = sources.map(nameAndPath);
  const double = named.find(({ name }, i) => named.findIndex((other) => other.name === name) !== i);
  if (double)
    throw new UserError(`${who}: two models are named ${double.name}; name one yourself, as in other=${double.path}`);
  return named;
};
