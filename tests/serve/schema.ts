import fc, { type Arbitrary } from "fast-check";

/** Values of a JSON Schema, and whether a value is of one: as much of it as the server's OpenAPI document uses. */

export type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Schema;
  readonly contains?: Schema;
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly not?: Schema;
  readonly anyOf?: readonly Schema[];
};

type Resolve = (ref: string) => Schema;
type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Checks of a value by keyword; each is true where the keyword does not concern a value of this kind. */
const checks = (schema: Schema, resolve: Resolve): readonly ((value: unknown) => boolean)[] => {
  const fits = (part: Schema, value: unknown): boolean => isValid(part, value, resolve);
  const number = (check: (value: number) => boolean) => (value: unknown) => typeof value !== "number" || check(value);
  const text = (check: (value: string) => boolean) => (value: unknown) => typeof value !== "string" || check(value);
  const list = (check: (value: readonly unknown[]) => boolean) => (value: unknown) =>
    !Array.isArray(value) || check(value);
  const fields = (check: (value: Fields) => boolean) => (value: unknown) => !isFields(value) || check(value);
  const { properties = {}, additionalProperties: others = true } = schema;
  return [
    (value) => schema.type === undefined || [schema.type].flat().some((type) => isOfType(type, value)),
    (value) => schema.enum?.includes(value) ?? true,
    (value) => !("const" in schema) || schema.const === value,
    number(
      (n) => n >= (schema.minimum ?? n) && n <= (schema.maximum ?? n) && !(n <= (schema.exclusiveMinimum ?? -Infinity)),
    ),
    text((t) => t.length >= (schema.minLength ?? 0) && t.length <= (schema.maxLength ?? Infinity)),
    text((t) => schema.pattern === undefined || new RegExp(schema.pattern, "u").test(t)),
    list((l) => l.length >= (schema.minItems ?? 0) && l.length <= (schema.maxItems ?? Infinity)),
    list((l) => l.every((item) => schema.items === undefined || fits(schema.items, item))),
    list((l) => schema.contains === undefined || l.some((item) => fits(schema.contains!, item))),
    fields((f) => (schema.required ?? []).every((name) => name in f)),
    fields((f) =>
      Object.entries(f).every(([name, value]) =>
        properties[name] ? fits(properties[name], value) : typeof others === "boolean" ? others : fits(others, value),
      ),
    ),
    (value) => schema.anyOf?.some((part) => fits(part, value)) ?? true,
    (value) => schema.not === undefined || !fits(schema.not, value),
  ];
};

const isOfType = (type: string, value: unknown): boolean => {
  if (type === "integer") return Number.isInteger(value);
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  return type === "object" ? isFields(value) : typeof value === type;
};

/** Whether a value is of a schema. */
export const isValid = (schema: Schema, value: unknown, resolve: Resolve): boolean =>
  schema.$ref ? isValid(resolve(schema.$ref), value, resolve) : checks(schema, resolve).every((check) => check(value));

const numbers = ({ type, minimum, exclusiveMinimum, maximum }: Schema): Arbitrary<number> => {
  const [min, max] = [minimum ?? exclusiveMinimum ?? -1e9, maximum ?? 1e9];
  if (type === "integer") return fc.integer({ min, max: Math.min(max, 2 ** 53 - 1) });
  return fc.double({ min, max, minExcluded: exclusiveMinimum !== undefined, noNaN: true });
};

const base = (schema: Schema, resolve: Resolve): Arbitrary<unknown> => {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "object": {
      const { properties = {}, required = [] } = schema;
      const model = Object.fromEntries(
        Object.entries(properties).map(([name, part]) => [name, valuesOf(part, resolve)]),
      );
      return fc.record(model, { requiredKeys: [...required] });
    }
    case "array": {
      const { minItems: minLength = 0, maxItems = 8 } = schema;
      return fc.array(valuesOf(schema.items ?? {}, resolve), {
        minLength,
        maxLength: Math.min(maxItems, minLength + 7),
      });
    }
    case "integer":
    case "number":
      return numbers(schema);
    case "boolean":
      return fc.boolean();
    default: {
      const { minLength = 0, maxLength = 20 } = schema;
      const examples = schema.examples?.length ? [fc.constantFrom(...schema.examples)] : [];
      const any = schema.pattern
        ? fc.base64String({ minLength: 4, maxLength: 40 })
        : fc.string({ minLength, maxLength: Math.min(20, maxLength) });
      return fc.oneof(...examples, any);
    }
  }
};

/** Values of a schema. */
export const valuesOf = (schema: Schema, resolve: Resolve): Arbitrary<unknown> =>
  schema.$ref
    ? valuesOf(resolve(schema.$ref), resolve)
    : base(schema, resolve).filter((value) => isValid(schema, value, resolve));
