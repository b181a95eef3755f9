import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type Answer, kindFor, type Listener, respond, respondWithEvents } from "./answer.js";
import type { Making } from "./answers.js";
import type { AppOptions } from "./app.js";
import { deadline } from "./deadline.js";
import { refusalOf } from "./errors.js";
import { checkEdit, editImage, generateJobs } from "./jobs.js";
import { modelNamed } from "./model.js";
import type { ParsedEdit, ParsedGenerate } from "./protocol.js";
import type { Refusal } from "./refusal.js";
import { editRoute, generateRoute, modelsRoute } from "./routes.js";

type Work = (signal: AbortSignal, listener?: Listener) => Promise<Omit<Answer, "milliseconds">>;

type Size = Pick<Making, "info" | "count" | "scale" | "isEdit"> & { readonly steps: number };

/**
 * Does the work within its time and answers in the form that was asked for. Work ends when its time is over, when the client
 * leaves, and when the server ends.
 */
const answerWith = async (c: Context, options: AppOptions, size: Size, work: Work): Promise<Response> => {
  const { timeout, metrics, report, answers, ending } = options;
  const kind = kindFor(c.req.header("Accept"), size.count);
  answers.hold(c, { ...size, isRaw: kind === "application/octet-stream" });
  const began = performance.now();
  const limit = deadline(c, ending, timeout);
  const timed = async (listener?: Listener): Promise<Answer> => {
    const done = await work(limit.signal, listener);
    metrics.images.add({ model: done.info.name }, done.made.length);
    return { ...done, milliseconds: performance.now() - began };
  };
  const explain = (thrown: unknown) => errorOf(refusalOf(thrown, report));
  if (kind === "text/event-stream") return respondWithEvents(c, { ...size, limit }, timed, explain);
  try {
    return await respond(c, kind, await timed(), limit.signal);
  } finally {
    limit.clear();
  }
};

const errorOf = ({ code, message }: Refusal) => ({ code, message });

const generate = async (c: Context, request: ParsedGenerate, options: AppOptions): Promise<Response> => {
  const model = modelNamed(options.models, request.model);
  const { info } = model;
  const jobs = generateJobs(request, model, options.maxCount);
  const size = { info, count: jobs.length, steps: request.steps ?? info.steps, scale: request.scale, isEdit: false };
  return answerWith(c, options, size, async (signal, listener) => {
    const heard = listener ? jobs.map((job) => ({ ...job, onMove: listener.onStep })) : jobs;
    const submitted = { signal, ...(listener && { onResult: listener.onImage }) };
    const made = await model.batcher.submit(heard, submitted);
    return { made, labels: jobs.map(({ label }) => label), info, scale: request.scale };
  });
};

const edit = async (c: Context, request: ParsedEdit, options: AppOptions): Promise<Response> => {
  const model = modelNamed(options.models, request.model);
  const { info } = model;
  const { label } = checkEdit(request, model);
  const { steps, scale } = request;
  return answerWith(c, options, { info, count: 1, steps, scale, isEdit: true }, async (signal, listener) => {
    const { decoder } = options;
    const image = await decoder.readImage(request.image, info, signal);
    const mask = request.mask === undefined ? undefined : await decoder.readMask(request.mask, info, signal);
    const submitted = { signal, ...(listener && { onResult: listener.onImage }) };
    const made = await editImage({ image, mask }, request, model, submitted);
    return { made: [made], labels: [label], info, scale };
  });
};

/** The routes that make images. */
export const addImages = (app: OpenAPIHono, options: AppOptions): void => {
  const { models, provider, maxCount } = options;
  app.openapi(modelsRoute, (c) => c.json({ models: models.map(({ info }) => info), provider, maxCount }, 200));
  app.openapi(generateRoute, (c) => generate(c, c.req.valid("json"), options));
  app.openapi(editRoute, (c) => edit(c, c.req.valid("json"), options));
};
