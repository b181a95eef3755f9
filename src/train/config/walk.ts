import type { z } from "zod";

/** The parts of a zod schema's definition that are read here. */
type Definition = {
  readonly type: string;
  readonly innerType?: Schema;
  readonly in?: Schema;
  readonly out?: Schema;
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly options?: readonly Schema[];
  readonly discriminator?: string;
  readonly values?: readonly unknown[];
  readonly valueType?: Schema;
};
export type Schema = { readonly def: Definition; readonly description?: string | undefined };

/** A schema without the wrappers that give defaults, allow null or transform. */
const bare = ({ def, ...rest }: Schema): Schema => {
  if (def.innerType) return bare(def.innerType);
  if (def.type === "pipe") return bare((def.in!.def.type === "transform" ? def.out : def.in)!);
  return { def, ...rest };
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const literalOf = (option: Schema, key: string): unknown => {
  const schema = option.def.shape?.[key];
  return schema ? bare(schema).def.values?.[0] : undefined;
};

/**
 * The fields of a section, by name; of a record, those that `value` has; of a union, those of the member that
 * `value` chooses, the first where it is silent. Undefined for a leaf.
 */
export const fieldsOf = (schema: Schema, value: unknown): Readonly<Record<string, Schema>> | undefined => {
  const { def } = bare(schema);
  if (def.shape) return def.shape;
  if (def.type === "record" && isRecord(value))
    return Object.fromEntries(Object.keys(value).map((key) => [key, def.valueType!]));
  const { discriminator, options } = def;
  if (!discriminator || !options || !isRecord(value)) return undefined;
  const kind = value[discriminator];
  const chosen = options.find((option) => kind === undefined || literalOf(option, discriminator) === kind);
  return chosen?.def.shape;
};

/** The schema and the value found by following `path`. */
export const follow = (
  root: z.ZodType,
  value: unknown,
  path: readonly PropertyKey[],
): { readonly schema: Schema | undefined; readonly value: unknown } =>
  path.reduce<{ schema: Schema | undefined; value: unknown }>(
    (at, key) => ({
      schema: at.schema && fieldsOf(at.schema, at.value)?.[String(key)],
      value: typeof at.value === "object" && at.value !== null ? Reflect.get(at.value, key) : undefined,
    }),
    { schema: root as unknown as Schema, value },
  );
