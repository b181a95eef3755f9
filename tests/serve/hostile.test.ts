import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SERVE_DEFAULTS, type Serving, startServer } from "../../src/serve/server.js";
import { writeTinyModel } from "./model.js";

/** Malformed and hostile requests over real sockets: each gets a clear refusal, and the server stays up. */

const TOKEN = "correct-horse-battery";
let folder: string;
let server: Serving;
const reports: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-hostile-"));
  const models = [await writeTinyModel(folder, "tiny"), await writeTinyModel(folder, "old", { kind: "ddpm" })];
  server = await startServer({
    ...SERVE_DEFAULTS,
    models,
    port: 0,
    token: TOKEN,
    runs: folder,
    maxBatch: 8,
    queue: 32,
    maxCount: 16,
    maxBody: 100_000,
    requestTimeout: 700,
    threads: 1,
    report: (text) => reports.push(text),
  });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const AUTHORIZED = { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" };
const post = (body: unknown, path = "/v1/images", headers: Record<string, string> = AUTHORIZED): Promise<Response> =>
  fetch(server.url + path, { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) });
const get = (path: string): Promise<Response> => fetch(server.url + path, { headers: AUTHORIZED });
const deep = (depth: number): string => `${'{"images":['.repeat(depth)}1${"]}".repeat(depth)}`;
const noise = (weight: number) => ({ images: [{ noise: [{ seed: 1, weight }] }] });
const edit = (changes: object) => post({ image: "AAAA", ...changes }, "/v1/images/edit");

const CASES: Record<string, [() => Promise<Response>, number, string]> = {
  "no body": [() => post(""), 400, "could not be read"],
  "half a body": [() => post('{"count":'), 400, "could not be read"],
  "not JSON": [() => post("seed=1"), 400, "could not be read"],
  "an array": [() => post([]), 422, "body: Invalid input: expected object, received array"],
  null: [() => post("null"), 422, "body: Invalid input: expected object, received null"],
  NaN: [() => post('{"seed":NaN}'), 400, "could not be read"],
  "a number beyond floats": [() => post('{"seed":1e999}'), 422, "seed: "],
  "a huge count": [() => post({ count: 1e9 }), 422, "count: Too big"],
  "a count above this server's": [() => post({ count: 17 }), 422, "17 images are more than this server's 16"],
  "no count": [() => post({ count: 0 }), 422, "count: Too small"],
  "a negative seed": [() => post({ seed: -1 }), 422, "seed: Too small"],
  "half a seed": [() => post({ seed: 0.5 }), 422, "seed: Invalid input: expected int, received number"],
  "a seed that is text": [() => post({ seed: "1" }), 422, "seed: Invalid input: expected number, received string"],
  "a huge number of steps": [() => post({ steps: 1e6 }), 422, "steps: Too big"],
  "a label that the model lacks": [
    () => post({ labels: [3] }),
    422,
    "label 3 is out of range; the model has labels 0 to 2",
  ],
  "labels that are no list": [() => post({ labels: { length: 1e9 } }), 422, "labels: Invalid input: expected array"],
  "no labels": [() => post({ labels: [] }), 422, "labels: Too small"],
  "a word nobody knows": [() => post({ cuont: 3 }), 422, 'body: Unrecognized key: "cuont"'],
  "a prototype": [() => post('{"__proto__":{"count":5},"seed":-1}'), 422, "seed: Too small"],
  "deep JSON": [() => post(deep(3000)), 422, "images.0."],
  "very deep JSON": [() => post("[".repeat(90_000)), 400, "could not be read"],
  "seeds and images together": [() => post({ ...noise(1), seed: 1 }), 422, "images cannot be given together"],
  "noise of no weight": [() => post(noise(0)), 422, "images.0.noise: one weight must differ from 0"],
  "noise of endless weight": [() => post(noise(1e300)), 422, "images.0.noise.0.weight: Too big"],
  "another model": [
    () => post({ model: "../../etc/passwd" }),
    404,
    "there is no model ../../etc/passwd; served are tiny, old",
  ],
  "a body that is too large": [() => post({ labels: Array(60_000).fill(1) }), 413, "larger than 100000 bytes"],
  "a picture that is none": [() => edit({}), 422, "image is not a picture that can be read"],
  "a picture that is no base64": [() => edit({ image: "not base64!" }), 422, "image: must be base64"],
  "more noise than there is": [() => edit({ strength: 2 }), 422, "strength: Too big"],
  "no noise": [() => edit({ strength: 0 }), 422, "strength: Too small"],
  "text/plain": [
    () => post("{}", "/v1/images", { ...AUTHORIZED, "Content-Type": "text/plain" }),
    415,
    "Content-Type is text/plain; it must be application/json",
  ],
  "JSON in another character set": [
    () => post("{}", "/v1/images", { ...AUTHORIZED, "Content-Type": "application/json; charset=utf-16" }),
    415,
    "Content-Type is application/json; charset=utf-16; it must be application/json",
  ],
  "a step in hexadecimal": [() => get("/v1/runs/samples?run=tiny&step=0x1"), 422, "step: must be a whole number"],
  "an empty step": [() => get("/v1/runs/metrics?run=tiny&after="), 422, "after: must be a whole number"],
  "an Accept that we lack": [
    () => post({}, "/v1/images", { ...AUTHORIZED, Accept: "text/html" }),
    406,
    "Accept is text/html",
  ],
  "no token": [() => post({}, "/v1/images", { "Content-Type": "application/json" }), 401, "asks for a token"],
  "a wrong token": [
    () => post({}, "/v1/images", { ...AUTHORIZED, Authorization: "Bearer no" }),
    401,
    "asks for a token",
  ],
  "metrics without a token": [() => fetch(`${server.url}/metrics`), 401, "asks for a token"],
  "a path out of the app": [() => get("/..%2f..%2f..%2fetc%2fpasswd"), 404, "there is no GET"],
  "a run out of the folder": [() => get("/v1/runs/metrics?run=../../../etc"), 404, "there is no run ../../../etc"],
  "samples of no step": [() => get("/v1/runs/samples?run=tiny&step=../1"), 422, "step: "],
  "another method": [
    () => fetch(`${server.url}/v1/images`, { method: "DELETE", headers: AUTHORIZED }),
    405,
    "/v1/images is not asked for with DELETE; it takes POST, OPTIONS",
  ],
};

describe("is refused with its reason, and the server stays up:", () => {
  test.each(Object.entries(CASES))("%s", async (_, [send, status, message]) => {
    const response = await send();
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    expect(error.message).toContain(message);
    expect(response.status).toBe(status);
    expect(error.message).not.toContain(folder);
    expect((await post({ scale: 1 })).status).toBe(200);
  });
});

/** What a raw socket is answered before it is closed. */
const raw = (bytes: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    let text = "";
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });

const HEAD = "POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

test("a client that never ends its headers gets 408", async () => {
  expect(await raw("GET / HTTP/1.1\r\nHost: loc")).toMatch(/^HTTP\/1.1 408 /);
});

test("a client that never ends its body gets 408", async () => {
  const answer = await raw(`${HEAD}Authorization: Bearer ${TOKEN}\r\nContent-Length: 90\r\n\r\n{"count"`);
  expect(answer).toMatch(/^HTTP\/1.1 408 /);
});

test("what is no HTTP gets 400", async () => {
  expect(await raw("\u0000\u0001\u0002\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
});

test("headers without end are refused", async () => {
  expect(await raw(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"y".repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
});

test("a body in chunks that says nothing of its length is cut off", async () => {
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = httpRequest(`${server.url}/v1/images`, { method: "POST", headers: AUTHORIZED }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject);
    sent.write(`[${"1,".repeat(60_000)}`);
    sent.end("1]");
  });
  expect(status).toBe(413);
});

test("a model without a solution function is not edited", async () => {
  const small = await post({ model: "tiny", count: 1 });
  const image = Buffer.from(await small.arrayBuffer()).toString("base64");
  const response = await edit({ model: "old", image });
  expect(await response.text()).toContain("old is a diffusion (DDPM) model; edits need SoFlow, MeanFlow or α-Flow");
});

test("none of this was a mistake of the server's own", () =>
  expect(reports).toEqual(["compiling tiny", "compiling old"]));
