import type { z } from "zod";
import { messageOf, UserError } from "../errors.js";
import { readIfPresent } from "../files/index.js";
import { firstProblem } from "./config/explain.js";

const parse = (path: string, text: string, remedy: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new UserError(`${path} is no JSON: ${messageOf(thrown).replace(/\s+/g, " ")}${remedy}`);
  }
};

/** What a text of ours must be. Throws a `UserError` of one line that names `path` and the first field that is not; `remedy` ends it. */
export const checkedJson = <S extends z.ZodType>(schema: S, path: string, text: string, remedy = ""): z.output<S> => {
  const value = parse(path, text, remedy);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UserError(
    `${path} is not as soflow wrote it: ${firstProblem(schema, value, result.error.issues)}${remedy}`,
  );
};

/** Reads a file of ours that may not be there yet: undefined then. Throws, as `checkedJson`, also for one that cannot be read. */
export const readJson = async <S extends z.ZodType>(
  schema: S,
  path: string,
  remedy?: string,
): Promise<z.output<S> | undefined> => {
  const text = await readIfPresent(path);
  return text === undefined ? undefined : checkedJson(schema, path, text, remedy);
};
