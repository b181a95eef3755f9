import { createRoute, z } from "@hono/zod-openapi";
import { KINDS } from "./answer.js";
import { editRequest, failure, generated, generateRequest, modelList, runList, runMetrics } from "./protocol.js";

/** The routes as the OpenAPI document describes them. */

const json = <S extends z.ZodType>(schema: S, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

/** A refusal that tells the client when to come back. */
const busy = (description: string) => ({
  ...json(failure, description),
  headers: z.object({ "Retry-After": z.string().openapi({ description: "seconds" }) }),
});

const failures = {
  400: json(failure, "The request could not be read."),
  401: json(failure, "The token is missing or wrong."),
  403: json(failure, "The request comes from a page of another origin."),
  404: json(failure, "There is no such model."),
  406: json(failure, `Accept allows none of ${KINDS.join(", ")}.`),
  408: json(failure, "The request did not come in time."),
  413: json(failure, "The body or the number of images is too large."),
  415: json(failure, "The body is not JSON."),
  421: json(failure, "The request is for another host."),
  422: json(failure, "The request asks for something that is not possible; the message says what."),
  429: busy("The queue is full."),
  500: json(failure, "Something went wrong in the server; its log says what."),
  503: busy("The memory for requests is in use, or the server is stopping."),
  504: json(failure, "The images were not ready in time."),
};

/** What any request may be refused with. */
const common = { 400: failures[400], 401: failures[401], 403: failures[403], 421: failures[421], 500: failures[500] };

const images = {
  description: "The images, in the form that Accept asks for: one as PNG and many as JSON by default.",
  headers: z.object({
    "X-Evaluations": z.string().openapi({ description: "network evaluations for each image" }),
    "X-Shape": z.string().optional().openapi({ description: "N,C,H,W of raw float32" }),
    "X-Labels": z.string().optional().openapi({ description: "labels of raw images" }),
  }),
  content: {
    "application/json": { schema: generated },
    "image/png": { schema: z.string().openapi({ format: "binary" }) },
    "application/octet-stream": {
      schema: z.string().openapi({ format: "binary", description: "float32 [N C H W], little endian" }),
    },
    "text/event-stream": { schema: z.string().openapi({ description: "events progress, then result or error" }) },
  },
};

const body = <S extends z.ZodType>(schema: S) => ({
  body: { required: true, content: { "application/json": { schema } } },
});

export const generateRoute = createRoute({
  method: "post",
  path: "/v1/images",
  summary: "Draw images",
  request: body(generateRequest),
  responses: { 200: images, ...failures },
});

export const editRoute = createRoute({
  method: "post",
  path: "/v1/images/edit",
  summary: "Draw an image anew from a noisy version of it, under a mask if one is given",
  request: body(editRequest),
  responses: { 200: images, ...failures },
});

export const modelsRoute = createRoute({
  method: "get",
  path: "/v1/models",
  summary: "The models that are served",
  responses: { 200: json(modelList, "The models, the default one first."), ...common },
});

export const exportRoute = createRoute({
  method: "get",
  path: "/v1/models/{model}/export/{file}",
  summary: "A file of a model's exported folder, as soflow export writes it; manifest.json names the others",
  request: { params: z.object({ model: z.string().max(200), file: z.string().max(200) }) },
  responses: {
    200: {
      description: "The file.",
      content: {
        "application/json": { schema: z.looseObject({}).openapi({ description: "manifest.json" }) },
        "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
      },
    },
    304: { description: "The client has it already: If-None-Match is its ETag." },
    ...common,
    404: json(failure, "No such model or file."),
    422: json(failure, "The model cannot be exported; the message says why."),
  },
});

export const runsRoute = createRoute({
  method: "get",
  path: "/v1/runs",
  summary: "Training runs in the folder that the server was given",
  responses: { 200: json(runList, "The runs by name; none where no folder was given."), ...common },
});

/** A whole number in a query, written as one: Number("") is 0, and Number("0x10") 16. */
const wholeNumber = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^-?\d{1,16}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.number().int().min(minimum).max(maximum))
    .openapi({ type: "integer", minimum, maximum });

const run = z.string().max(500).openapi({ description: "a name that /v1/runs lists" });
const after = wholeNumber(-1, Number.MAX_SAFE_INTEGER).optional();
const runQuery = z.object({
  run,
  after: after.openapi({ description: "only steps beyond this one; by default all" }),
});

export const runMetricsRoute = createRoute({
  method: "get",
  path: "/v1/runs/metrics",
  summary: "Curves of a run",
  request: { query: runQuery },
  responses: {
    200: json(runMetrics, "Columns of numbers."),
    ...common,
    404: json(failure, "No such run."),
    422: failures[422],
  },
});

export const runSamplesRoute = createRoute({
  method: "get",
  path: "/v1/runs/samples",
  summary: "The picture of samples of a run at a step",
  request: {
    query: z.object({ run, step: wholeNumber(0, 99_999_999) }),
  },
  responses: {
    200: {
      description: "The picture.",
      content: { "image/png": { schema: z.string().openapi({ format: "binary" }) } },
    },
    ...common,
    404: json(failure, "No such run or picture."),
    422: failures[422],
  },
});
