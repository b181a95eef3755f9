import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { key } from "../src/random/random.js";
import { download } from "../src/train/hub/download.js";
import { fetchModel } from "../src/train/hub/hub.js";
import { type ModelDescription, openNetwork, saveModel } from "../src/train/model.js";
import { SoFlow } from "../src/train/pretrained.js";
import { soflow } from "./cli.js";

const DESCRIPTION: ModelDescription = {
  format: "soflow",
  version: 1,
  network: { imageSize: 4, channels: 1, patch: 2, width: 16, depth: 1, heads: 2, classes: 2, nullLabel: false },
  method: { kind: "soflow", path: "linear", parameterisation: "euler" },
  classes: ["a", "b"],
};

const weights = () =>
  openNetwork(DESCRIPTION.network).parameters.map(({ name, tensor: { shape } }) => ({
    name,
    shape,
    read: async () =>
      key(1)
        .fold(name)
        .normal(shape.reduce((n, d) => n * d, 1))
        .map((z) => 0.1 * z),
  }));

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-hub-"));
  await saveModel(at("whole"), DESCRIPTION, weights(), 7);
  await saveModel(at("sharded"), DESCRIPTION, weights(), 7, 4000);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const images = async (source: string, options: Parameters<typeof SoFlow.fromPretrained>[1] = {}) => {
  const model = await SoFlow.fromPretrained(source, { threads: 1, ...options });
  const { images: drawn, shape } = await model.generate({ count: 3, seed: 5 });
  await model.close();
  expect(shape).toEqual([3, 1, 4, 4]);
  return drawn;
};

/** A hub of one model, owner/name, whose files are those of a folder; `misbehave` may answer in its place. */
class Hub {
  readonly requests: IncomingMessage[] = [];
  misbehave: (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => boolean = () => false;
  private readonly server: Server;

  constructor(private readonly model: string) {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Requests for a file, by what they asked for. */
  asked(file: string) {
    return this.requests.filter(({ url }) => url?.endsWith(`/${file}`)).map(({ headers }) => headers);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(request);
    const [, file] = /^\/owner\/name\/resolve\/main\/(.+)$/.exec(request.url ?? "") ?? [];
    const bytes = file && existsSync(join(this.model, file)) ? await readFile(join(this.model, file)) : undefined;
    if (!bytes) return void response.writeHead(404).end();
    if (this.misbehave(request, response, bytes)) return;
    const etag = `"${createHash("sha256").update(bytes).digest("hex")}"`;
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
    const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
    const start = from !== undefined && request.headers["if-range"] === etag ? Number(from) : 0;
    const headers = { etag, "content-length": bytes.length - start };
    if (start === 0) return void response.writeHead(200, headers).end(bytes);
    const range = { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(206, { ...headers, ...range }).end(bytes.subarray(start));
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

let [hub, endpoint, cacheDir] = [undefined as unknown as Hub, "", ""];
const serve = async (model: string): Promise<void> => {
  hub = new Hub(at(model));
  endpoint = await hub.listen();
};
beforeEach(async () => {
  cacheDir = await mkdtemp(join(folder, "cache-"));
  await serve("whole");
});
afterEach(() => hub.close());
const options = (more: object = {}) => ({ endpoint, cacheDir, ...more });

/** Breaks the connection after the first half of the weights, once. */
const breakOnce = (): void => {
  let broken = false;
  hub.misbehave = (request, response, bytes) => {
    if (broken || !request.url?.endsWith("model.safetensors")) return false;
    broken = true;
    response.writeHead(200, {
      etag: `"${createHash("sha256").update(bytes).digest("hex")}"`,
      "content-length": bytes.length,
    });
    response.write(bytes.subarray(0, bytes.length >> 1));
    setTimeout(() => response.destroy(), 50); // what was sent has arrived by then
    return true;
  };
};

describe("model folders", () => {
  test("a model in shards draws what the same model in one file draws", async () => {
    const names = (await readdir(at("sharded"))).filter((name) => name.endsWith(".safetensors")).sort();
    expect(names.length).toBeGreaterThan(2);
    expect(names[0]).toBe(`model-00001-of-${String(names.length).padStart(5, "0")}.safetensors`);
    const index = JSON.parse(await readFile(at("sharded", "model.safetensors.index.json"), "utf8"));
    expect(new Set(Object.values(index.weight_map))).toEqual(new Set(names));
    expect(index.metadata.total_size).toBeGreaterThan(4000);
    expect(await images(at("sharded"))).toEqual(await images(at("whole")));
  });

  test("an index that names other places is refused", async () => {
    await saveModel(at("odd"), DESCRIPTION, weights(), 7, 4000);
    await writeFile(at("odd", "model.safetensors.index.json"), '{"weight_map": {"a": "../whole/model.safetensors"}}');
    await expect(SoFlow.fromPretrained(at("odd"))).rejects.toThrow(
      /index.json is no index of shards: it names "\.\.\/whole\/model.safetensors", which is no file beside it/,
    );
  });

  test("generate: the seed decides, labels are checked, several steps are one option", async () => {
    const model = await SoFlow.fromPretrained(at("whole"), { threads: 1 });
    const [one, batched] = [
      await model.generate({ count: 4, seed: 1 }),
      await model.generate({ count: 4, seed: 1, batch: 2 }),
    ];
    expect(Math.max(...one.images.map((x, i) => Math.abs(x - batched.images[i]!)))).toBeLessThan(1e-5);
    expect([one.labels, one.evaluations]).toEqual([[0, 1, 0, 1], 1]);
    expect((await model.generate({ steps: 2 })).evaluations).toBe(2);
    await expect(model.generate({ labels: [2] })).rejects.toThrow(
      "generate: label 2 is out of range; the model has labels 0 to 1",
    );
    await model.close();
  });
});

test("edit: strength 0 keeps the image, a mask keeps its outside, one evaluation takes noise out again", async () => {
  const model = await SoFlow.fromPretrained(at("whole"), { threads: 1 });
  const image = key(3).normal(16);
  const far = (a: Float32Array, from = 0) => Math.max(...a.slice(from).map((x, i) => Math.abs(x - image[from + i]!)));
  expect(far(await model.edit({ image, strength: 0 }))).toBeLessThan(1e-6);
  const changed = await model.edit({ image, strength: 0.7, label: 1, seed: 2 });
  expect(far(changed)).toBeGreaterThan(0.1);
  const mask = new Float32Array(16).fill(1, 0, 8);
  const masked = await model.edit({ image, strength: 0.7, label: 1, seed: 2, mask });
  expect(far(masked, 8)).toBe(0);
  expect([...masked.slice(0, 8)]).toEqual([...changed.slice(0, 8)]);
  await expect(model.edit({ image: image.slice(1), strength: 1 })).rejects.toThrow(
    "edit: the image has 15 numbers; it must have 16",
  );
  await expect(model.edit({ image, strength: 2 })).rejects.toThrow("strength is 2; it must be from 0 to 1");
  await model.close();
});

describe("fromPretrained with an id", () => {
  test("downloads every file once, with progress, and asks only whether it changed the next time", async () => {
    const seen = new Map<string, number>();
    const onProgress = ({ file, loaded, total }: { file: string; loaded: number; total: number }) => {
      expect(loaded).toBeLessThanOrEqual(total);
      seen.set(file, loaded);
    };
    expect(await images("owner/name", options({ onProgress }))).toEqual(await images(at("whole")));
    expect([...seen.keys()]).toEqual(["config.json", "model.safetensors", "README.md"]);
    const before = hub.asked("model.safetensors").length;
    await images("owner/name", options());
    const [again] = hub.asked("model.safetensors").slice(before);
    expect(again?.["if-none-match"]).toMatch(/^"[0-9a-f]{64}"$/);
  });

  test("shards too", async () => {
    await hub.close();
    await serve("sharded");
    expect(await images("owner/name", options())).toEqual(await images(at("whole")));
  });

  test("a broken connection is an error that says how to go on; then only the rest is sent", async () => {
    breakOnce();
    await expect(fetchModel("owner/name", options())).rejects.toThrow(
      /model.safetensors stopped after \d+ of \d+ bytes.*; the same call goes on from there$/,
    );
    await fetchModel("owner/name", options());
    expect(hub.asked("model.safetensors").at(-1)?.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(await images("owner/name", options())).toEqual(await images(at("whole")));
  });

  test("a file that changed in between is downloaded from its beginning", async () => {
    breakOnce();
    await expect(fetchModel("owner/name", options())).rejects.toThrow(/stopped after/);
    await hub.close();
    await saveModel(
      at("later"),
      DESCRIPTION,
      weights().map((w) => ({ ...w, read: async () => (await w.read()).map((x) => 2 * x) })),
      8,
    );
    await serve("later");
    expect(await images("owner/name", options())).toEqual(await images(at("later")));
  });

  test("bytes that do not have the stated checksum are removed", async () => {
    hub.misbehave = (request, response, bytes) => {
      if (!request.url?.endsWith("model.safetensors")) return false;
      response.writeHead(200, { "x-linked-etag": `"${"0".repeat(64)}"`, "content-length": bytes.length }).end(bytes);
      return true;
    };
    await expect(fetchModel("owner/name", options())).rejects.toThrow(
      /was received with the SHA-256 [0-9a-f]{64}, not 0{64}; it has been removed, the same call begins anew$/,
    );
    const files = await readdir(join(cacheDir, "models", "owner--name", "main"));
    expect(files.filter((name) => name.includes("model.safetensors"))).toEqual([]);
  });

  test("without a connection, and offline, what was downloaded is used", async () => {
    await fetchModel("owner/name", options());
    await hub.close();
    expect(await images("owner/name", options())).toEqual(await images(at("whole")));
    expect(await images("owner/name", { cacheDir, offline: true })).toEqual(await images(at("whole")));
    await expect(fetchModel("owner/other", { cacheDir, offline: true })).rejects.toThrow(
      /^owner\/other \(main\) has not been downloaded to .*, and this is offline mode$/,
    );
    await expect(fetchModel("owner/other", options())).rejects.toThrow(
      /owner\/other\/resolve\/main\/config.json cannot be reached: /,
    );
  });

  test("calls at the same time download once", async () => {
    const folders = await Promise.all([1, 2, 3].map(() => fetchModel("owner/name", options())));
    expect(new Set(folders).size).toBe(1);
    expect(hub.asked("model.safetensors").length).toBe(1);
  });

  test("what is not there, and what is no id, is said in one line", async () => {
    await expect(fetchModel("owner/nothing", options())).rejects.toThrow(
      /nothing\/resolve\/main\/config.json: there is no model owner\/nothing in revision main$/,
    );
    for (const id of ["../name", "a/b/c", "owner/..", "https://x/y"])
      expect(() => fetchModel(id, options())).toThrow(`${id} is no id of a model; one is owner/name`);
    expect(() => fetchModel("owner/name", options({ revision: "../x" }))).toThrow("../x is no revision");
    await expect(fetchModel("owner/name", { cacheDir })).rejects.toThrow(
      "owner/name: no hub is named; set SOFLOW_HUB to the address of one, or give a local folder",
    );
  });
});

test("a redirect to another host does not get the token", async () => {
  const other = new Hub(at("whole"));
  const elsewhere = (await other.listen()).replace("127.0.0.1", "localhost");
  hub.misbehave = (request, response) => {
    response.writeHead(302, { location: `${elsewhere}${request.url}` }).end();
    return true;
  };
  await download(`${endpoint}/owner/name/resolve/main/config.json`, join(cacheDir, "c.json"), { token: "secret" });
  expect(hub.requests[0]?.headers.authorization).toBe("Bearer secret");
  expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  await other.close();
});

test("the command line: download, then sample by id", async () => {
  const env = { SOFLOW_HUB: endpoint, SOFLOW_CACHE: cacheDir };
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  try {
    expect((await soflow("download", "owner/name")).out).toBe(`${join(cacheDir, "models", "owner--name", "main")}\n`);
    expect((await soflow("sample", "owner/name", "--count", "2", "--out", at("x.png"))).code).toBe(0);
    expect(await soflow("sample", "owner/none", "--out", at("y.png"))).toMatchObject({ code: 2 });
  } finally {
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  }
});
