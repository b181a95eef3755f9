import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AppOptions } from "./app.js";
import { hasToken } from "./middleware.js";

/** The OpenAPI document, with the limits and, for who may know them, the models of this server. */

type Schema = Record<string, unknown>;
type Properties = Record<string, Schema>;

/** What the server takes of a request, as additions to the properties of its schema. */
const limitsOf = ({ models, maxCount }: AppOptions, namesModels: boolean): Properties => {
  const label = { maximum: Math.max(...models.map(({ info }) => Math.max(0, info.classes.length - 1))) };
  return {
    ...(namesModels && { model: { enum: models.map(({ info }) => info.name) } }),
    label,
    labels: { items: { type: "integer", minimum: 0, ...label } },
    count: { maximum: maxCount },
    images: { maxItems: maxCount },
    noise: { contains: { not: { required: ["weight"], properties: { weight: { const: 0 } } } } },
  };
};

const limited = (schemas: Record<string, { properties?: Properties }>, limits: Properties): void => {
  for (const name of ["GenerateRequest", "ImageRequest", "EditRequest"])
    for (const [property, schema] of Object.entries(schemas[name]?.properties ?? {}))
      Object.assign(schema, limits[property]);
};

const documentOf = (app: OpenAPIHono, options: AppOptions, namesModels: boolean): object => {
  const security = options.token === undefined ? {} : { security: [{ token: [] }] };
  const info = { title: "soflow serve", version: "1" };
  const document = structuredClone(app.getOpenAPI31Document({ openapi: "3.1.0", info, ...security }));
  limited((document.components?.schemas ?? {}) as Parameters<typeof limited>[0], limitsOf(options, namesModels));
  return document;
};

/** `/openapi.json`; without the token, where one is asked for, it leaves out what the models are called. */
export const addDocument = (app: OpenAPIHono, options: AppOptions): void => {
  const { token } = options;
  if (token !== undefined)
    app.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  const [open, full] = [documentOf(app, options, false), documentOf(app, options, true)];
  app.get("/openapi.json", (c) => c.json(token === undefined || hasToken(c, token) ? full : open));
};
