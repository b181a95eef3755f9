import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GeneratedBody, GenerateRequest, ModelList, RunMetrics } from "../../src/serve/protocol.js";
import { SERVE_DEFAULTS, type ServeOptions, type Serving, startServer } from "../../src/serve/server.js";
import { SoFlow } from "../../src/train/pretrained.js";
import { drawSamples } from "../../src/train/sample.js";
import { soflow, start } from "../cli.js";
import { writeTinyModel } from "./model.js";

let folder: string;
let model: string;
let server: Serving;

const serving = (changes: Partial<ServeOptions> = {}): Promise<Serving> =>
  startServer({ ...SERVE_DEFAULTS, models: [model], port: 0, threads: 1, maxBatch: 8, report: () => {}, ...changes });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-serve-"));
  model = await writeTinyModel(folder, "tiny");
  server = await serving({ runs: folder, origins: ["https://ok.example"] });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const JSON_TYPE = { "Content-Type": "application/json" };
const post = (body: unknown, accept = "application/json", path = "/v1/images", base = server.url): Promise<Response> =>
  fetch(base + path, { method: "POST", headers: { ...JSON_TYPE, Accept: accept }, body: JSON.stringify(body) });
const raw = async (body: GenerateRequest): Promise<Float32Array> =>
  new Float32Array(await (await post(body, "application/octet-stream")).arrayBuffer());
const pixels = async (png: Uint8Array | ArrayBuffer) =>
  (
    await sharp(Buffer.from(png as ArrayBuffer))
      .raw()
      .toBuffer({ resolveWithObject: true })
  ).info;

describe("images", () => {
  test("are those that soflow sample draws", async () => {
    const { images } = await drawSamples({ source: model, count: 11, seed: 5, steps: 2, threads: 1 });
    const served = await raw({ count: 11, seed: 5, steps: 2 });
    expect(Math.max(...served.map((value, i) => Math.abs(value - images[i]!)))).toBeLessThan(1e-4);
  });

  test("are the same alone and among others that ask at once", async () => {
    const alone = await raw({ seed: 3, labels: [1] });
    const crowd = await Promise.all(Array.from({ length: 12 }, (_, i) => raw({ seed: i % 4, labels: [1] })));
    for (const [i, image] of crowd.entries())
      if (i % 4 === 3) expect(Math.max(...image.map((v, j) => Math.abs(v - alone[j]!)))).toBeLessThan(1e-5);
  });

  test("differ by seed, label and steps", async () => {
    const asked = [{ seed: 1 }, { seed: 2 }, { seed: 1, labels: [1] }, { seed: 1, steps: 3 }];
    const drawn = await Promise.all(asked.map(raw));
    expect(new Set(drawn.map((image) => image.join())).size).toBe(4);
  });

  test("of mixed noise begin and end at the seeds' own", async () => {
    const part = (seed: number, weight: number) => ({ seed, index: 0, weight });
    const mixed = await raw({
      images: [
        { noise: [part(1, 1), part(2, 0)] },
        { noise: [part(1, 1), part(2, 1)] },
        { noise: [part(1, 0), part(2, 1)] },
      ],
    });
    expect([...mixed.slice(0, 64)]).toEqual([...(await raw({ seed: 1, labels: [0] }))]);
    expect([...mixed.slice(128)]).toEqual([...(await raw({ seed: 2, labels: [0] }))]);
  });

  test("come as one PNG, as a sheet, as JSON, as floats with their shape", async () => {
    const one = await post({ scale: 3 }, "*/*");
    expect(one.headers.get("content-type")).toBe("image/png");
    expect(await pixels(await one.arrayBuffer())).toMatchObject({ width: 24, height: 24, format: "raw" });
    const sheet = await post({ count: 4 }, "image/png");
    expect(await pixels(await sheet.arrayBuffer())).toMatchObject({ width: 2 * 10 + 2, height: 2 * 10 + 2 });
    const many = (await (await post({ count: 3 }, "*/*")).json()) as GeneratedBody;
    expect(many).toMatchObject({ model: "tiny", size: 8, channels: 1, evaluations: 1 });
    expect(many.images.map(({ label }) => label)).toEqual([0, 1, 2]);
    expect(await pixels(Buffer.from(many.images[0]!.png, "base64"))).toMatchObject({ width: 8, height: 8 });
    const floats = await post({ count: 2, labels: [2] }, "application/octet-stream");
    expect(floats.headers.get("x-shape")).toBe("2,1,8,8");
    expect(floats.headers.get("x-labels")).toBe("2,2");
  });

  test("of many steps tell of their progress, then come", async () => {
    const text = await (await post({ count: 2, steps: 3 }, "text/event-stream")).text();
    const events = text
      .trim()
      .split("\n\n")
      .map((event) => /^event: (\w+)\ndata: (.*)$/.exec(event)!.slice(1));
    expect(events.at(-1)![0]).toBe("result");
    expect((JSON.parse(events.at(-1)![1]!) as GeneratedBody).images).toHaveLength(2);
    const progress = events.slice(0, -1).map(([, data]) => JSON.parse(data!) as { images: number; step: number });
    expect(Math.max(...progress.map(({ step }) => step))).toBe(3);
    expect(progress.at(-1)!.images).toBe(2);
  });
});

describe("edits", () => {
  const editRaw = async (body: object): Promise<Float32Array> =>
    new Float32Array(await (await post(body, "application/octet-stream", "/v1/images/edit")).arrayBuffer());
  const gray = async (level: number) =>
    (
      await sharp({ create: { width: 8, height: 8, channels: 3, background: { r: level, g: level, b: level } } })
        .png()
        .toBuffer()
    ).toString("base64");

  test("keep what the mask keeps and change the rest", async () => {
    const half = await sharp(Buffer.from(Array.from({ length: 64 }, (_, i) => (i % 8 < 4 ? 0 : 255))), {
      raw: { width: 8, height: 8, channels: 1 },
    })
      .png()
      .toBuffer();
    const edited = await editRaw({ image: await gray(200), mask: half.toString("base64"), strength: 1, steps: 2 });
    const kept = (200 - 127.5) / 127.5;
    for (const [i, value] of edited.entries()) expect(Math.abs(value - kept) < 1e-6).toBe(i % 8 < 4);
  });

  test("are those of SoFlow.edit in Node, in rounds and under a mask", async () => {
    const marks = Array.from({ length: 64 }, (_, i) => (i < 40 ? 255 : 0));
    const picture = sharp(Buffer.from(marks), { raw: { width: 8, height: 8, channels: 1 } });
    const settings = { label: 2, strength: 0.7, seed: 11, steps: 3 };
    const [image, mask] = [await gray(90), (await picture.png().toBuffer()).toString("base64")];
    const served = await editRaw({ ...settings, image, mask });
    const own = await SoFlow.fromPretrained(model, { threads: 1 });
    const pixels = new Float32Array(64).fill((90 - 127.5) / 127.5);
    const drawn = await own.edit({ ...settings, image: pixels, mask: Float32Array.from(marks, (mark) => mark / 255) });
    await own.close();
    expect(Math.max(...served.map((value, i) => Math.abs(value - drawn[i]!)))).toBeLessThan(1e-5);
    expect(Math.max(...drawn.slice(0, 40).map((value) => Math.abs(value - pixels[0]!)))).toBeGreaterThan(0.05);
  });

  test("with little noise stay near the image, and move away with more", async () => {
    const image = await gray(150);
    const moved = await Promise.all(
      [0.01, 0.3, 1].map(async (strength) => {
        const edited = await editRaw({ image, strength });
        return Math.hypot(...edited.map((value) => value - (150 - 127.5) / 127.5));
      }),
    );
    expect(moved).toEqual(moved.toSorted((a, b) => a - b));
    expect(moved[0]).toBeLessThan(0.5);
  });
});

describe("the server", () => {
  test("says what it has", async () => {
    const list = (await (await fetch(`${server.url}/v1/models`)).json()) as ModelList;
    expect(list.models).toMatchObject([{ name: "tiny", method: "soflow", size: 8, steps: 1, canEdit: true }]);
    expect(await (await fetch(`${server.url}/healthz`)).text()).toBe("ok\n");
    expect(await (await fetch(`${server.url}/readyz`)).text()).toBe("ready\n");
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(/soflow_images_total\{model="tiny"\} \d+/);
    for (const line of text.trim().split("\n"))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [\d.e+-]+)$/);
  });

  test("describes every route in OpenAPI 3.1", async () => {
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as { openapi: string; paths: object };
    expect(document.openapi).toBe("3.1.0");
    expect(Object.keys(document.paths).toSorted()).toEqual([
      "/v1/images",
      "/v1/images/edit",
      "/v1/models",
      "/v1/models/{model}/export/{file}",
      "/v1/runs",
      "/v1/runs/metrics",
      "/v1/runs/samples",
    ]);
  });

  test("keeps pages of other origins out, but for those it was told", async () => {
    const from = (origin: string) => fetch(`${server.url}/v1/models`, { headers: { Origin: origin } });
    expect((await from("https://ok.example")).headers.get("access-control-allow-origin")).toBe("https://ok.example");
    const other = await from("https://evil.example");
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
    expect(other.headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(other.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    expect(other.headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  test("without a token answers to names of this machine only: a page elsewhere may have made up another", async () => {
    const statusAs = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const asked = httpRequest(`${server.url}/v1/models`, { headers: { Host: host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        });
        asked.on("error", reject).end();
      });
    for (const host of ["localhost:8080", "127.0.0.1", "[::1]:80"]) expect(await statusAs(host), host).toBe(200);
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"])
      expect(await statusAs(host), host).toBe(421);
  });

  test("answers 429 with Retry-After when its queue is full, and everything else", async () => {
    const small = await serving({ queue: 16 });
    const asked = Array.from({ length: 40 }, (_, i) =>
      post({ seed: i, count: 4, steps: 64 }, "application/json", "/v1/images", small.url),
    );
    const answers = await Promise.all(asked);
    const refused = answers.filter(({ status }) => status === 429);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
    expect(refused[0]!.headers.get("retry-after")).toBe("1");
    await small.stop();
  });

  test("answers 504 when images take too long", async () => {
    const hurried = await serving({ timeout: 5 });
    const late = await post({ count: 64, steps: 200 }, "application/json", "/v1/images", hurried.url);
    expect(late.status).toBe(504);
    const told = await post({ count: 64, steps: 200 }, "text/event-stream", "/v1/images", hurried.url);
    expect(await told.text()).toMatch(/event: error\ndata: \{"code":"timeout","message":"the images were not ready/);
    expect(await late.text()).toContain("the images were not ready within 0.005 s; ask for fewer");
    await hurried.stop();
  });

  test("refuses an address that is taken, two models of one name, and what is no model", async () => {
    const port = Number(new URL(server.url).port);
    await expect(serving({ port })).rejects.toThrow(
      `serve: cannot listen on 127.0.0.1:${port}: another program listens there; choose another --port`,
    );
    await expect(serving({ models: [model, model] })).rejects.toThrow(
      `serve: two models are named tiny; name one yourself, as in other=${model}`,
    );
    await expect(serving({ models: ["nowhere"] })).rejects.toThrow(
      "serve: there is no nowhere; give a run folder, a model folder or a checkpoint",
    );
  });
});

test("a client that leaves takes what waits along, and the log stays empty", async () => {
  const reports: string[] = [];
  const other = await serving({ report: (text) => reports.push(text) });
  const waiting = async (): Promise<number> =>
    Number(/^soflow_queue_images (\d+)$/m.exec(await (await fetch(`${other.url}/metrics`)).text())![1]);
  const leaving = new AbortController();
  const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify({ count: 256, steps: 256 }) };
  const gone = expect(fetch(`${other.url}/v1/images`, { ...init, signal: leaving.signal })).rejects.toThrow("aborted");
  await expect.poll(waiting).toBeGreaterThan(200);
  leaving.abort();
  await gone;
  await expect.poll(waiting, { timeout: 1000 }).toBe(0);
  await other.stop();
  expect(reports).toEqual(["compiling tiny"]);
});

describe("runs", () => {
  test("are listed with their curves, which grow", async () => {
    const run = join(folder, "runs", "first");
    await mkdir(run, { recursive: true });
    await writeFile(join(run, "metrics.jsonl"), '{"step":1,"loss":2}\n{"step":2,"loss":null}\n{"st');
    const read = async (query: string) =>
      (await (await fetch(`${server.url}/v1/runs/metrics?run=runs/first${query}`)).json()) as RunMetrics;
    expect(await read("")).toEqual({ steps: [1, 2], values: { loss: [2, null] } });
    await writeFile(join(run, "metrics.jsonl"), 'ep":3,"loss":1,"rate":5}\n', { flag: "a" });
    expect(await read("&after=1")).toEqual({ steps: [2, 3], values: { loss: [null, 1], rate: [null, 5] } });
    const { runs } = (await (await fetch(`${server.url}/v1/runs`)).json()) as { runs: unknown[] };
    expect(runs).toEqual([{ name: "runs/first", method: "unknown", step: 3, active: false, samples: [] }]);
  });
});

test("SIGTERM under load answers all that was accepted, then ends with 0", async () => {
  const { process: child, ended } = start(["serve", model, "--port", "0", "--threads", "1", "--max-batch", "8"]);
  const url = await new Promise<string>((resolve) => {
    child.stdout!.on("data", (text: Buffer) => {
      const found = /http:\S+/.exec(text.toString())?.[0];
      if (found) resolve(found);
    });
  });
  const load = Array.from({ length: 40 }, (_, i) =>
    post({ seed: i, count: 4, steps: 16 }, "application/octet-stream", "/v1/images", url),
  );
  await load[0]!.then((first) => first.clone().arrayBuffer()); // by now the rest have been accepted
  child.kill("SIGTERM");
  const answers = await Promise.all(
    load.map(async (one) => ((await one).ok ? (await (await one).arrayBuffer()).byteLength : 0)),
  );
  expect(answers.slice(1)).toEqual(Array(39).fill(4 * 64 * 4));
  expect((await ended).code).toBe(0);
  await expect(fetch(url)).rejects.toThrow();
});

test.each([
  [["--port", "70000"], "It must be a port: 0 to 65535, 0 for any free one; see soflow serve --help"],
  [
    ["--token", "short"],
    "serve: the token is refused; it must be 8 or more visible characters without spaces; see soflow serve --help",
  ],
  [
    ["--allow-origin", "example.org/path"],
    "It must be an origin such as https://example.org, without a path; see soflow serve --help",
  ],
  [["--max-batch", "0"], "It must be a whole number of at least 1; see soflow serve --help"],
  [["--threads", "1", "--port", "0"], "serve: there is no nowhere; give a run folder, a model folder or a checkpoint"],
])("soflow serve nowhere %j is refused in one line", async (words, message) => {
  const { code, err } = await soflow("serve", "nowhere", ...words);
  expect(err).toContain(message);
  expect(err.trim().split("\n")).toHaveLength(1);
  expect(code).toBe(2);
});
