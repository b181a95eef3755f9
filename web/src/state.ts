import { computed, effect, signal } from "@preact/signals";
import type { ModelInfo } from "../../src/serve/protocol.js";
import { type Generator, GeneratorError, httpGenerator, type Pixels } from "./generator.js";

/** What all tabs share. */
export type Connection = "connecting" | "online" | "offline" | "locked";
export const connection = signal<Connection>("connecting");
export const token = signal(sessionStorage.getItem("soflow-token") ?? "");
export const models = signal<readonly ModelInfo[]>([]);
export const provider = signal("");
export const maxCount = signal(64);
export const chosenModel = signal("");
/** The last request's message, where it was refused. */
export const refusal = signal("");
/** Of the last images: where the time went. */
export const timing = signal<{ server: number; round: number; evaluations: number; images: number } | undefined>(
  undefined,
);

export const model = computed(() => models.value.find(({ name }) => name === chosenModel.value) ?? models.value[0]);

export const generator: Generator = httpGenerator(() => token.value);

effect(() => sessionStorage.setItem("soflow-token", token.value));

const RETRY_MS = 1500;
let retry: ReturnType<typeof setTimeout> | undefined;

/** Reads what the server has; while it cannot be reached, tries again by itself. */
export const connect = async (): Promise<void> => {
  clearTimeout(retry);
  try {
    const list = await generator.models(AbortSignal.timeout(5000));
    models.value = list.models;
    provider.value = list.provider;
    maxCount.value = list.maxCount;
    connection.value = "online";
  } catch (thrown) {
    noteFailure(thrown);
  }
};

/** Takes a failed request to heart: shows why, and begins to look for the server where it is gone. */
export const noteFailure = (thrown: unknown): void => {
  if (!(thrown instanceof GeneratorError)) throw thrown;
  if (thrown.kind === "refused") refusal.value = thrown.message;
  else connection.value = thrown.kind;
  clearTimeout(retry);
  if (thrown.kind === "offline") retry = setTimeout(() => void connect(), RETRY_MS);
};

/** Makes images and shows what they took; undefined where that failed, which is then shown too. */
export const make = async (work: () => Promise<Pixels>): Promise<Pixels | undefined> => {
  const began = performance.now();
  try {
    const pixels = await work();
    const { milliseconds: server, evaluations, count: images } = pixels;
    timing.value = { server, round: performance.now() - began, evaluations, images };
    refusal.value = "";
    return pixels;
  } catch (thrown) {
    noteFailure(thrown);
    return undefined;
  }
};

addEventListener("online", () => void connect());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && connection.value === "offline") void connect();
});
