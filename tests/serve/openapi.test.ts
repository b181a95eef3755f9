import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc, { type Arbitrary } from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SERVE_DEFAULTS, type Serving, startServer } from "../../src/serve/server.js";
import { writeTinyModel } from "./model.js";
import { isValid, type Schema, valuesOf } from "./schema.js";

/**
 * The server does what its OpenAPI document says, for requests made from that document: valid ones, broken ones, and methods that
 * it does not list. scripts/check/serve-fuzz.mjs asks far more of it, with Schemathesis.
 */

type Content = Readonly<Record<string, { readonly schema: Schema }>>;
type Parameter = {
  readonly name: string;
  readonly in: "path" | "query";
  readonly schema: Schema;
  readonly required?: boolean;
};
type Operation = {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content; readonly headers?: object }>>;
};
type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

let folder: string;
let server: Serving;
let document: Document;
const reports: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-openapi-"));
  await mkdir(join(folder, "runs", "first"), { recursive: true });
  await writeFile(join(folder, "runs", "first", "metrics.jsonl"), '{"step":1,"loss":2}\n{"step":2,"rate":1}\n');
  const models = [await writeTinyModel(folder, "tiny")];
  const options = {
    ...SERVE_DEFAULTS,
    models,
    port: 0,
    threads: 1,
    maxBatch: 4,
    maxCount: 4,
    runs: join(folder, "runs"),
  };
  server = await startServer({ ...options, report: (text) => reports.push(text) });
  document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const resolve = (ref: string): Schema => document.components.schemas[ref.split("/").at(-1)!]!;

type Named = { readonly path: string; readonly method: string; readonly operation: Operation };
const operations = (): readonly Named[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

type Sent = { readonly url: string; readonly method: string; readonly body?: string; readonly accept?: string };
type Got = { readonly status: number; readonly headers: Record<string, unknown>; readonly text: string };

const send = ({ url, method, body, accept }: Sent): Promise<Got> =>
  new Promise((done, reject) => {
    const type =
      body === undefined ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
    const headers = { ...type, ...(accept !== undefined && { Accept: accept }) };
    const sent = httpRequest(server.url + url, { method: method.toUpperCase(), headers }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () =>
        done({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(parts).toString() }),
      );
    });
    sent.on("error", reject).end(body);
  });

/** Throws where an answer is not one that the document has: its status, its type, its body. */
const checkAnswer = ({ operation }: Named, { status, headers, text }: Got): void => {
  const documented = operation.responses[status];
  expect(Object.keys(operation.responses)).toContain(String(status));
  expect(status).not.toBe(500);
  const type = String(headers["content-type"] ?? "").split(";")[0]!;
  if (documented?.content === undefined) return;
  expect(Object.keys(documented.content)).toContain(type);
  if (type !== "application/json") return;
  const { schema } = documented.content[type]!;
  const body: unknown = JSON.parse(text);
  if (!isValid(schema, body, resolve)) throw new Error(`${text.slice(0, 300)} is not of ${JSON.stringify(schema)}`);
};

const addressOf = (
  path: string,
  parameters: readonly Parameter[],
  values: Readonly<Record<string, unknown>>,
): string => {
  const query = new URLSearchParams();
  let address = path;
  for (const { name, in: place } of parameters)
    if (place === "path") address = address.replace(`{${name}}`, encodeURIComponent(String(values[name])));
    else if (name in values) query.set(name, String(values[name]));
  return query.size > 0 ? `${address}?${query}` : address;
};

/** Requests of an operation whose body is one of `bodies`, and whose parameters are of their schemas. */
const requests = (
  { path, method, operation }: Named,
  bodies: (schema: Schema) => Arbitrary<string>,
): Arbitrary<Sent> => {
  const { parameters = [], requestBody } = operation;
  const fields = parameters.map(({ name, schema }) => [name, valuesOf(schema, resolve)]);
  const required = parameters.filter((one) => one.required || one.in === "path").map(({ name }) => name);
  const values = fc.record(Object.fromEntries(fields) as Record<string, Arbitrary<unknown>>, {
    requiredKeys: required,
  });
  const accepts = fc.constantFrom(undefined, ...Object.keys(operation.responses[200]?.content ?? {}), "text/html");
  const schema = requestBody?.content["application/json"]?.schema;
  const body = schema ? bodies(schema) : fc.constant(undefined);
  return fc.tuple(values, body, accepts).map(([given, text, accept]) => ({
    url: addressOf(path, parameters, given as Record<string, unknown>),
    method,
    ...(text !== undefined && { body: text }),
    ...(accept !== undefined && { accept }),
  }));
};

const valid = (schema: Schema): Arbitrary<string> => valuesOf(schema, resolve).map((value) => JSON.stringify(value));

/** Bodies with one field that is anything, or that are anything themselves, or cut off. */
const broken = (schema: Schema): Arbitrary<string> => {
  const name = fc.constantFrom(...Object.keys(resolve(schema.$ref!).properties ?? {}), "other");
  const changed = fc
    .tuple(valuesOf(schema, resolve), name, fc.jsonValue())
    .map(([value, key, other]) => JSON.stringify({ ...(value as object), [key]: other }));
  const cut = fc.tuple(valid(schema), fc.nat(40)).map(([text, at]) => text.slice(0, at));
  return fc.oneof(changed, fc.json(), cut, fc.string());
};

const RUNS = { numRuns: 25 };

describe("for every route, as its document describes it", () => {
  test("valid requests are answered as it says; images that can be made are", { timeout: 120_000 }, async () => {
    for (const one of operations())
      await fc.assert(
        fc.asyncProperty(requests(one, valid), async (request) => {
          const answer = await send(request);
          checkAnswer(one, answer);
          const refusals = one.path === "/v1/images" ? [200, 406] : [200, 304, 404, 406, 422];
          expect(refusals).toContain(answer.status);
          if (answer.status === 406) expect(request.accept).toBe("text/html");
        }),
        RUNS,
      );
  });

  test("broken bodies are refused, or were none, and as it says", { timeout: 120_000 }, async () => {
    for (const one of operations().filter(({ operation }) => operation.requestBody))
      await fc.assert(
        fc.asyncProperty(requests(one, broken), async (request) => checkAnswer(one, await send(request))),
        { numRuns: 80 },
      );
  });

  test("methods that it does not list get 405, and those that it does are named", async () => {
    for (const { path, operation, method: own } of operations()) {
      const values = Object.fromEntries((operation.parameters ?? []).map(({ name }) => [name, "x"]));
      const url = addressOf(path, operation.parameters ?? [], values);
      for (const method of ["get", "put", "post", "delete", "patch", "trace", "propfind"].filter((m) => m !== own)) {
        const { status, headers } = await send({ url, method });
        expect([url, method, status]).toEqual([url, method, 405]);
        expect(String(headers.allow).split(", ")).toContain(own.toUpperCase());
      }
    }
  });

  test("every refusal that tells to come back says when", () => {
    for (const { operation } of operations())
      for (const status of [429, 503].filter((one) => one in operation.responses))
        expect(Object.keys(operation.responses[status]!.headers ?? {})).toContain("Retry-After");
  });

  test("names models, labels and counts that this server has, and no other", () => {
    const { GenerateRequest, EditRequest } = document.components.schemas;
    expect(GenerateRequest!.properties!.model!.enum).toEqual(["tiny"]);
    expect(EditRequest!.properties!.label!.maximum).toBe(2);
    expect(GenerateRequest!.properties!.count!.maximum).toBe(4);
  });

  test("none of this was a mistake of the server's own", () =>
    expect(reports.filter((text) => !/^(compiling|exporting) tiny/.test(text))).toEqual([]));
});
