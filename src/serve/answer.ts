import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { Deadline } from "./deadline.js";
import type { Made } from "./model.js";
import { pngOf } from "./picture.js";
import type { GeneratedBody, ModelInfo } from "./protocol.js";
import { Refusal } from "./refusal.js";

/** What images can be sent as. */
export const KINDS = ["image/png", "application/json", "application/octet-stream", "text/event-stream"] as const;
export type Kind = (typeof KINDS)[number];

const preferences = (accept: string): string[] =>
  accept
    .split(",")
    .map((part) => ({
      type: part.split(";")[0]!.trim().toLowerCase(),
      q: Number(/;\s*q=([\d.]+)/.exec(part)?.[1] ?? 1),
    }))
    .filter(({ q }) => q > 0)
    .sort((a, b) => b.q - a.q)
    .map(({ type }) => type);

/** The kind of answer that an Accept header asks for; one image goes as PNG and many as JSON where it leaves that open. */
export const kindFor = (accept: string | undefined, count: number): Kind => {
  const usual: Kind = count === 1 ? "image/png" : "application/json";
  for (const type of preferences(accept ?? "*/*")) {
    if (type === "*/*") return usual;
    const kind = KINDS.find((known) => known === type || `${known.split("/")[0]}/*` === type);
    if (kind) return kind;
  }
  throw new Refusal(
    406,
    "accept",
    `Accept is ${String(accept).slice(0, 100)}; it must allow one of ${KINDS.join(", ")}`,
  );
};

/** Images with what they are of. */
export type Answer = {
  readonly made: readonly Made[];
  readonly labels: readonly number[];
  readonly info: ModelInfo;
  readonly scale: number;
  readonly milliseconds: number;
};

const evaluationsOf = ({ made }: Answer): number => Math.max(0, ...made.map(({ evaluations }) => evaluations));

/** Images that are encoded at once. */
const AT_ONCE = 8;

const jsonOf = async (answer: Answer, signal: AbortSignal): Promise<GeneratedBody> => {
  const { made, labels, info, scale, milliseconds } = answer;
  const images: GeneratedBody["images"] = [];
  for (let first = 0; first < made.length; first += AT_ONCE) {
    signal.throwIfAborted();
    const part = made.slice(first, first + AT_ONCE);
    const pngs = await Promise.all(part.map((one) => pngOf([one], info, scale)));
    for (const png of pngs) images.push({ label: labels[images.length]!, png: Buffer.from(png).toString("base64") });
  }
  const { name: model, size, channels } = info;
  return { model, size, channels, evaluations: evaluationsOf(answer), milliseconds, images };
};

/** float32 [N C H W], little endian. */
const rawOf = ({ made }: Answer): Uint8Array<ArrayBuffer> => {
  const length = made[0]?.image.length ?? 0;
  const bytes = new Uint8Array(made.length * length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, { image }] of made.entries())
    for (let j = 0; j < length; j++) view.setFloat32((i * length + j) * 4, image[j]!, true);
  return bytes;
};

/** The answer in the kind that was asked for. */
export const respond = async (
  c: Context,
  kind: Exclude<Kind, "text/event-stream">,
  answer: Answer,
  signal: AbortSignal,
): Promise<Response> => {
  const { made, info, labels, scale, milliseconds } = answer;
  c.header("X-Evaluations", String(evaluationsOf(answer)));
  c.header("Server-Timing", `generate;dur=${milliseconds.toFixed(1)}`);
  c.header("Cache-Control", "no-store");
  if (kind === "application/json") return c.json(await jsonOf(answer, signal));
  const body = kind === "image/png" ? await pngOf(made, info, scale) : rawOf(answer);
  if (kind === "application/octet-stream") {
    c.header("X-Shape", `${made.length},${info.channels},${info.size},${info.size}`);
    c.header("X-Labels", labels.join(","));
  }
  return c.body(new Uint8Array(body), 200, { "Content-Type": kind });
};

/** Told while images are made: an image is ready, or a batch has taken a step. */
export type Listener = { readonly onImage: () => void; readonly onStep: (step: number) => void };

type Progress = { readonly images: number; readonly count: number; readonly step: number; readonly steps: number };

/** Tells of progress, as fast as the client takes it: what it is too slow for is left out, but for the last. */
class ProgressEvents {
  private sent: Progress | undefined;
  private sending: Promise<void> | undefined;

  constructor(
    private readonly stream: SSEStreamingApi,
    private state: Progress,
  ) {}

  tell(changes: Partial<Progress>): void {
    const next = { ...this.state, ...changes };
    if (next.images === this.state.images && next.step === this.state.step) return;
    this.state = next;
    this.sending ??= this.sendNewest();
  }

  get images(): number {
    return this.state.images;
  }

  private async sendNewest(): Promise<void> {
    while (this.sent !== this.state) {
      this.sent = this.state;
      await this.stream.writeSSE({ event: "progress", data: JSON.stringify(this.state) });
    }
    this.sending = undefined;
  }

  /** Resolves when the last is on its way. */
  async done(): Promise<void> {
    await this.sending;
  }
}

type Events = { readonly count: number; readonly steps: number; readonly limit: Deadline };

/** Server-sent events: `progress` {images, count, step, steps} while the work lasts, then `result` (the JSON answer) or `error`. */
export const respondWithEvents = (
  c: Context,
  { count, steps, limit: { signal, clear } }: Events,
  work: (listener: Listener) => Promise<Answer>,
  explain: (thrown: unknown) => { code: string; message: string },
): Response =>
  streamSSE(c, async (stream) => {
    const events = new ProgressEvents(stream, { images: 0, count, step: 0, steps });
    const send = async (event: string, value: unknown): Promise<void> => {
      await events.done();
      await stream.writeSSE({ event, data: JSON.stringify(value) });
    };
    try {
      const onImage = (): void => events.tell({ images: events.images + 1 });
      await send("result", await jsonOf(await work({ onImage, onStep: (step) => events.tell({ step }) }), signal));
    } catch (thrown) {
      await send("error", explain(thrown));
    } finally {
      clear();
    }
  });
