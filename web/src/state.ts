import { computed, effect, signal, untracked } from "@preact/signals";
import type { ModelInfo } from "../../src/serve/protocol.js";
import { type Generator, GeneratorError, type Pixels } from "./generator.js";
import { authorization, httpGenerator } from "./http.js";
import { kept } from "./kept.js";
import { PageGenerator, type PageSource } from "./page.js";
import { SITE } from "./site.js";

/** What all tabs share. */
export type Connection = "connecting" | "online" | "offline" | "locked";
export const connection = signal<Connection>("connecting");
export const token = kept("sessionStorage", "soflow-token");
export const models = signal<readonly ModelInfo[]>([]);
const serverProvider = signal("");
export const maxCount = signal(64);
export const chosenModel = signal("");
/** The last request's message, where it was refused. */
export const refusal = signal("");
/** Of the last images: where the time went. */
export const timing = signal<{ server: number; round: number; evaluations: number; images: number } | undefined>(
  undefined,
);

export const model = computed(() => models.value.find(({ name }) => name === chosenModel.value) ?? models.value[0]);

/** Where the user wants images to be made: `page`, or the server. */
export const wantedPlace = kept("localStorage", "soflow-place");
/** Why the page cannot draw, though it should; the server then does. */
export const pageTrouble = signal("");
/** Whether there is a choice: a server and a model that it gives away. */
export const canChoosePlace = computed(() => SITE === undefined && model.value?.canExport === true);
export const inPage = computed(
  () => SITE !== undefined || (canChoosePlace.value && wantedPlace.value === "page" && pageTrouble.value === ""),
);
/** Bytes of the model that the page loads, while it does. */
export const loading = signal<{ readonly loaded: number; readonly total: number } | undefined>(undefined);
const pageProvider = signal("");
export const provider = computed(() => (inPage.value ? pageProvider.value : `${serverProvider.value} on the server`));
/** Whether several steps can be taken: in the page only by a solution function. */
export const canStep = computed(() => !inPage.value || model.value?.canEdit === true);

const server = httpGenerator(() => token.value);
const served: PageSource = {
  models: server.models,
  folder: (name) => `v1/models/${encodeURIComponent(name)}/export/`,
  headers: () => authorization(token.value),
};
const page = new PageGenerator(SITE ?? served, {
  onProgress: (progress) => {
    loading.value = progress;
  },
  onReady: (name) => {
    pageProvider.value = name;
  },
});

const active = (): Generator => (inPage.value ? page : server);
export const generator: Generator = {
  models: (SITE ?? server).models,
  generate: (request) => active().generate(request),
  edit: (request) => active().edit(request),
};

computed(() => `${wantedPlace.value} ${model.value?.name}`).subscribe(() => {
  pageTrouble.value = ""; // another choice is another try
});
effect(() => {
  const name = inPage.value ? model.value?.name : undefined;
  untracked(() => page.use(name));
});

const RETRY_MS = 1500;
let retry: ReturnType<typeof setTimeout> | undefined;

/** Reads what the server has; while it cannot be reached, tries again by itself. */
export const connect = async (): Promise<void> => {
  clearTimeout(retry);
  try {
    const list = await generator.models(AbortSignal.timeout(5000));
    models.value = list.models;
    serverProvider.value = list.provider;
    maxCount.value = list.maxCount;
    connection.value = "online";
  } catch (thrown) {
    noteFailure(thrown);
  }
};

/** Takes a failed request to heart: shows why, and begins to look for the server where it is gone. */
export const noteFailure = (thrown: unknown): void => {
  if (!(thrown instanceof GeneratorError)) throw thrown;
  const { kind, message } = thrown;
  if (kind === "dropped") return;
  if (kind === "refused") refusal.value = message;
  else if (kind === "unable") noteTrouble(message);
  else noteConnection(kind);
};

const noteConnection = (kind: "offline" | "locked"): void => {
  connection.value = kind;
  clearTimeout(retry);
  if (kind === "offline") retry = setTimeout(() => void connect(), RETRY_MS);
};

const noteTrouble = (message: string): void => {
  if (SITE) refusal.value = `This page cannot draw: ${message}.`;
  else pageTrouble.value = `This page cannot draw, so the server does: ${message}.`;
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
