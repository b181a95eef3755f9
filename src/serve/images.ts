import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type Answer, kindFor, type Listener, respond, respondWithEvents } from "./answer.js";
import type { AppOptions } from "./app.js";
import { refusalOf } from "./errors.js";
import { editImage, generateJobs } from "./jobs.js";
import { modelNamed } from "./model.js";
import { readImage, readMask } from "./picture.js";
import type { ParsedEdit, ParsedGenerate } from "./protocol.js";
import { Refusal } from "./refusal.js";
import { editRoute, generateRoute, modelsRoute } from "./routes.js";

/** Aborts when the client has left or the time is over. */
const deadline = (c: Context, timeout: number): { signal: AbortSignal; clear: () => void } => {
  const controller = new AbortController();
  const late = (): Refusal =>
    new Refusal(504, "timeout", `the images were not ready within ${timeout / 1000} s; ask for fewer`);
  const leave = (): void => controller.abort(new Refusal(408, "gone", "the client left before the images were ready"));
  const timer = setTimeout(() => controller.abort(late()), timeout);
  c.req.raw.signal.addEventListener("abort", leave, { once: true });
  const clear = (): void => {
    clearTimeout(timer);
    c.req.raw.signal.removeEventListener("abort", leave);
  };
  return { signal: controller.signal, clear };
};

type Work = (signal: AbortSignal, listener?: Listener) => Promise<Omit<Answer, "milliseconds">>;

/** Does the work within its time and answers in the form that was asked for. */
const answerWith = async (
  c: Context,
  { timeout, metrics, report }: AppOptions,
  size: { count: number; steps: number },
  work: Work,
): Promise<Response> => {
  const kind = kindFor(c.req.header("Accept"), size.count);
  const began = performance.now();
  const timed = async (listener?: Listener): Promise<Answer> => {
    const { signal, clear } = deadline(c, timeout);
    const done = await work(signal, listener).finally(clear);
    metrics.images.add({ model: done.info.name }, done.made.length);
    return { ...done, milliseconds: performance.now() - began };
  };
  const explain = (thrown: unknown) => errorOf(refusalOf(thrown, report));
  return kind === "text/event-stream" ? respondWithEvents(c, size, timed, explain) : respond(c, kind, await timed());
};

const errorOf = ({ code, message }: Refusal) => ({ code, message });

const generate = (c: Context, request: ParsedGenerate, options: AppOptions): Promise<Response> => {
  const model = modelNamed(options.models, request.model);
  const jobs = generateJobs(request, model, options.maxCount);
  const steps = request.steps ?? model.info.steps;
  return answerWith(c, options, { count: jobs.length, steps }, async (signal, listener) => {
    const heard = listener ? jobs.map((job) => ({ ...job, onMove: listener.onStep })) : jobs;
    const submitted = { signal, ...(listener && { onResult: listener.onImage }) };
    const made = await model.batcher.submit(heard, submitted);
    return { made, labels: jobs.map(({ label }) => label), info: model.info, scale: request.scale };
  });
};

const edit = async (c: Context, request: ParsedEdit, options: AppOptions): Promise<Response> => {
  const model = modelNamed(options.models, request.model);
  const { steps, scale, label = 0 } = request;
  const image = await readImage(request.image, model.info);
  const mask = request.mask === undefined ? undefined : await readMask(request.mask, model.info);
  return answerWith(c, options, { count: 1, steps }, async (signal, listener) => {
    const submitted = { signal, ...(listener && { onResult: listener.onImage }) };
    const made = await editImage({ image, mask }, request, model, submitted);
    return { made: [made], labels: [label], info: model.info, scale };
  });
};

/** The routes that make images. */
export const addImages = (app: OpenAPIHono, options: AppOptions): void => {
  const { models, provider, maxCount } = options;
  app.openapi(modelsRoute, (c) => c.json({ models: models.map(({ info }) => info), provider, maxCount }, 200));
  app.openapi(generateRoute, (c) => generate(c, c.req.valid("json"), options));
  app.openapi(editRoute, (c) => edit(c, c.req.valid("json"), options));
};
