import type { EditRequest, GenerateRequest } from "../../src/serve/protocol.js";
import { type Generator, GeneratorError, type Pixels } from "./generator.js";
import { base64Of } from "./pixels.js";

const TRIES = 5;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const failureOf = async (response: Response): Promise<GeneratorError> => {
  const body = (await response.json().catch(() => undefined)) as { error?: { message?: string } } | undefined;
  const message = body?.error?.message ?? `the server answered ${response.status}`;
  if (response.status === 401) return new GeneratorError("locked", message);
  return new GeneratorError(body?.error ? "refused" : "offline", message);
};

/** The header that shows a token, where there is one. */
export const authorization = (token: string): Record<string, string> =>
  token === "" ? {} : { Authorization: `Bearer ${token}` };

/** Asks the server; comes back by itself where the server is only busy. Throws a `GeneratorError`. */
export const ask = async (path: string, token: string, init: RequestInit = {}): Promise<Response> => {
  const headers = { ...init.headers, ...authorization(token) };
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(path, { ...init, headers }).catch(() => {
      throw new GeneratorError("offline", "the server cannot be reached");
    });
    if (response.ok) return response;
    if (response.status !== 429 || attempt === TRIES) throw await failureOf(response);
    await pause(1000 * Number(response.headers.get("Retry-After") ?? 1));
  }
};

const pixelsOf = async (response: Response): Promise<Pixels> => {
  const [count, channels, size] = (response.headers.get("X-Shape") ?? "").split(",").map(Number);
  return {
    values: new Float32Array(await response.arrayBuffer()),
    count: count ?? 0,
    channels: channels ?? 1,
    size: size ?? 1,
    milliseconds: Number(/dur=([\d.]+)/.exec(response.headers.get("Server-Timing") ?? "")?.[1] ?? Number.NaN),
    evaluations: Number(response.headers.get("X-Evaluations") ?? 0),
  };
};

/** A generator behind `soflow serve`. */
export const httpGenerator = (token: () => string): Generator => {
  const post = async (path: string, body: GenerateRequest | EditRequest): Promise<Pixels> => {
    const headers = { "Content-Type": "application/json", Accept: "application/octet-stream" };
    return pixelsOf(await ask(path, token(), { method: "POST", headers, body: JSON.stringify(body) }));
  };
  return {
    models: async (signal) => (await ask("v1/models", token(), { signal: signal ?? null })).json(),
    generate: (request) => post("v1/images", request),
    edit: ({ image, mask, ...request }) =>
      post("v1/images/edit", { ...request, image: base64Of(image), ...(mask && { mask: base64Of(mask) }) }),
  };
};
