import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRuntime } from "../../src/runtime/index.js";
import { ServedModel } from "../../src/serve/model.js";
import { SERVE_DEFAULTS, type ServeOptions, type Serving, startServer } from "../../src/serve/server.js";
import { soflow, start } from "../cli.js";
import { writeTinyModel } from "./model.js";

/** What a server holds and does for clients is bounded, and ends with them. */

let folder: string;
let model: string;
let server: Serving;
const reports: string[] = [];

const serving = (changes: Partial<ServeOptions> = {}): Promise<Serving> =>
  startServer({ ...SERVE_DEFAULTS, models: [model], port: 0, threads: 1, maxBatch: 8, report: () => {}, ...changes });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-limits-"));
  model = await writeTinyModel(folder, "tiny");
  server = await serving({ runs: join(folder, "runs"), report: (text) => reports.push(text) });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const JSON_TYPE = { "Content-Type": "application/json" };
const post = (body: unknown, path = "/v1/images", { url } = server): Promise<Response> =>
  fetch(url + path, { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) });

type Asked = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };

/** A request with headers and methods that `fetch` does not let one choose. */
const ask = (path: string, headers: Record<string, string> = {}, method = "GET", { url } = server): Promise<Asked> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest(url + path, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    sent.on("error", reject).end();
  });

/** Sends bytes over a connection of its own, and collects what comes back until it is closed. */
const exchange = (
  parts: readonly (string | Buffer)[],
  { url } = server,
): { text: Promise<string>; leave: () => void } => {
  const { hostname, port } = new URL(url);
  let text = "";
  const socket = connect(Number(port), hostname, () => {
    for (const part of parts) socket.write(part);
  });
  socket.on("data", (data) => {
    text += data;
  });
  socket.on("error", () => {}); // reset, with bytes on their way
  return {
    text: new Promise((resolve) => void socket.on("close", () => resolve(text))),
    leave: () => void socket.destroy(),
  };
};

const head = (length: number, path = "/v1/images/edit"): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

const blank = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: "#fff" } }).png({ compressionLevel: 9 });

describe("bodies", () => {
  test("that come slowly are held up to a bound over all connections; small ones are read all the same", async () => {
    const small = await serving({ maxBody: 400_000, maxBodies: 800_000, requestTimeout: 1500 });
    const stalled = Array.from({ length: 12 }, () => exchange([head(390_000), Buffer.alloc(300_000, 65)], small));
    const refused = await Promise.race(stalled.map(({ text }) => text));
    expect(refused).toMatch(/^HTTP\/1.1 503 /);
    expect(refused).toMatch(/retry-after: 1/i);
    expect(refused).toContain("the server holds all the bodies it has memory for; try again shortly");
    expect((await post({ seed: 1 }, "/v1/images", small)).status).toBe(200);
    const answers = await Promise.all(stalled.map(({ text }) => text));
    expect(answers.filter((text) => /^HTTP\/1.1 408 /.test(text)).length).toBeLessThanOrEqual(2);
    const large = { image: "A".repeat(300_000) };
    expect((await post(large, "/v1/images/edit", small)).status).toBe(422); // what was held is given back
    await small.stop();
  });

  test("whose client leaves in the middle are no error of the server", async () => {
    const before = reports.length;
    const chunked = head(0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    for (const parts of [
      [head(9000), '{"image":"AAAA'],
      [chunked, '8\r\n{"image"\r\n'],
    ]) {
      const { text, leave } = exchange(parts);
      await new Promise((resolve) => setTimeout(resolve, 100));
      leave();
      await text;
    }
    expect((await post({})).status).toBe(200);
    expect(reports.slice(before)).toEqual([]);
  });

  test("of very many values are refused before they are parsed", async () => {
    const refused = await post({ labels: Array(100_000).fill("x") });
    expect([refused.status, await refused.text()]).toEqual([413, expect.stringContaining("more than 100000 values")]);
  });
});

describe("pictures", () => {
  const edit = async (image: Buffer, { url } = server): Promise<string> => {
    const response = await post({ image: image.toString("base64") }, "/v1/images/edit", { ...server, url });
    return `${response.status} ${response.status === 200 ? "" : await response.text()}`;
  };

  test("are measured by their header: one of 400 million pixels in a few hundred bytes is refused with its size", async () => {
    const bomb = (await blank(4, 4).toBuffer()).subarray(0, 357);
    bomb.writeUInt32BE(40_000_000, 16);
    bomb.writeUInt32BE(10, 20);
    expect(await edit(bomb)).toContain("422");
    expect(await edit(await blank(5001, 5001).toBuffer())).toContain(
      "image is 5001×5001 pixels of 3 channels; this server reads up to 16000000 pixels, of progressive files about 4 million",
    );
  });

  test("are PNG, JPEG or WebP: no other decoder gets to see them", async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const gif = await blank(9, 9).gif().toBuffer();
    for (const other of [svg, gif, await blank(9, 9).tiff().toBuffer()])
      expect(await edit(other)).toMatch(
        /^422 .*image is not a picture that can be read; send a PNG, JPEG or WebP file/,
      );
    for (const known of [blank(9, 9), blank(9, 9).jpeg(), blank(9, 9).webp()])
      expect(await edit(await known.toBuffer())).toBe("200 ");
  });

  test("are decoded within the time of their request, one after another", async () => {
    const image = await blank(3900, 3900).toBuffer();
    const hurried = await serving({ timeout: 20 });
    const answers = await Promise.all(Array.from({ length: 6 }, () => edit(image, hurried)));
    expect(new Set(answers.map((text) => text.slice(0, 4)))).toEqual(new Set(["504 "]));
    await hurried.stop();
  });
});

describe("images", () => {
  test("of very many pixels are refused before they are made", async () => {
    const own = await serving({ maxCount: 1024, maxAnswers: 2 ** 22 });
    const refused = await post({ count: 1024, scale: 16, steps: 256 }, "/v1/images", own);
    expect(await refused.text()).toContain("1024 images of 128×128 pixels are more than this server sends at once");
    expect(refused.status).toBe(422);
    const many = await Promise.all(
      Array.from({ length: 8 }, () => post({ count: 64, scale: 8, steps: 64 }, "/v1/images", own)),
    );
    expect(new Set(many.map(({ status }) => status))).toEqual(new Set([200, 503]));
    await Promise.all(many.map((response) => response.arrayBuffer()));
    expect((await post({ count: 64, scale: 8 }, "/v1/images", own)).status).toBe(200); // given back
    await own.stop();
  });

  test("end with the time of their request, between two steps", async () => {
    const runtime = await openRuntime({ threads: 1 });
    const options = { runtime, maxBatch: 4, maxWait: 0, maxQueue: 100, weights: "ema", precision: "float32" } as const;
    const served = await ServedModel.open("tiny", model, { ...options, report: () => {} });
    const leaving = new AbortController();
    let moves = 0;
    const onMove = (): void => {
      if (++moves === 5) leaving.abort(new Error("left"));
    };
    const noise = () => new Float32Array(served.noiseLength);
    const jobs = Array.from({ length: 12 }, () => ({ label: 0, steps: 200, noise, onMove }));
    await expect(served.batcher.submit(jobs, { signal: leaving.signal })).rejects.toThrow("left");
    await served.batcher.drained();
    expect(moves).toBeLessThan(10); // of 200 for each of 12
    await served.release();
    await runtime.close();
  });

  test("are told to wait no longer when a stop is over: a long job has 503, and the process ends", async () => {
    const large = await writeTinyModel(folder, "large", undefined, { width: 128, depth: 6, imageSize: 16, patch: 2 });
    const { process: child, ended } = start([
      "serve",
      large,
      "--port",
      "0",
      "--threads",
      "1",
      "--max-batch",
      "16",
      "--grace",
      "1",
    ]);
    const url = await new Promise<string>((resolve) => {
      child.stdout!.on("data", (text: Buffer) => resolve(/http:\S+/.exec(text.toString())![0]));
    });
    const job = post({ count: 256, steps: 256 }, "/v1/images", { ...server, url });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    child.kill("SIGTERM");
    const answer = await job;
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("the server is stopping")]);
    await ended;
    expect(performance.now() - began).toBeLessThan(8000); // 1.6 s on an idle machine; without an end it takes minutes
  });
});

describe("connections", () => {
  test("have few requests under way at a time", async () => {
    const many = `GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(200);
    const { text, leave } = exchange([many]);
    const answers = await Promise.race([text, new Promise<string>((resolve) => setTimeout(resolve, 3000, "open"))]);
    expect(answers).not.toBe("open");
    leave();
  });

  test.skipIf(process.platform !== "linux")("leave no file open, whatever was asked for", async () => {
    const open = async () => (await readdir("/proc/self/fd")).length;
    const path = "/ort/ort-wasm-simd-threaded.wasm";
    const before = await open();
    for (let i = 0; i < 30; i++) {
      const { status, headers } = await ask(path, {}, "HEAD");
      expect([status, Number(headers["content-length"]) > 1e6]).toEqual([200, true]);
      const { text, leave } = exchange([`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`]);
      leave();
      await text;
    }
    await expect.poll(open, { timeout: 5000 }).toBeLessThan(before + 10);
  });

  test.each(["TRACE", "PUT", "PROPFIND", "GET", "QUERY"])(
    "%s of a path that is asked for otherwise gets 405",
    async (method) => {
      const { status, headers, text } = await ask("/v1/images", {}, method);
      expect([status, headers.allow]).toEqual([405, "POST, OPTIONS"]);
      expect(text).toContain(`/v1/images is not asked for with ${method}; it takes POST, OPTIONS`);
      expect((await ask("/nowhere", {}, method)).status).toBe(404);
    },
  );

  test("learn what a path takes", async () => {
    for (const [path, allow] of [
      ["/v1/models", "GET, HEAD, OPTIONS"],
      ["/v1/models/a%20b/export/c", "GET, HEAD, OPTIONS"],
      ["/healthz", "GET, HEAD, OPTIONS"],
      ["/", "GET, HEAD, OPTIONS"],
    ] as const) {
      expect((await ask(path, {}, "POST")).headers.allow, path).toBe(allow);
      const options = await ask(path, {}, "OPTIONS");
      expect([options.status, options.headers.allow]).toEqual([204, allow]);
    }
  });

  test("that send what is no request are answered in JSON", async () => {
    const { status, headers, text } = await ask("/", { Host: "a b" });
    expect([status, headers["content-type"]]).toEqual([400, "application/json"]);
    expect(text).toContain("the request could not be read: its address or its Host is malformed");
  });
});

describe("pages of other origins", () => {
  const EXPORT = "/v1/models/tiny/export/manifest.json";

  test("start no export by an address in them", async () => {
    for (const site of ["cross-site", "same-site"]) {
      const { status, text } = await ask(EXPORT, { "Sec-Fetch-Site": site });
      expect([status, text]).toEqual([403, expect.stringContaining("pages of other origins are not let in")]);
    }
    expect((await ask(EXPORT, { Origin: "https://evil.example" })).status).toBe(403);
    expect(reports.filter((text) => text.startsWith("exporting"))).toEqual([]);
    const { host: Host } = new URL(server.url);
    const own: Record<string, string>[] = [
      { Host },
      { Host, "Sec-Fetch-Site": "same-origin" },
      { Host, "Sec-Fetch-Site": "none" },
      { Host, Origin: `http://${Host}` },
    ];
    for (const headers of own) expect((await ask("/v1/models", headers)).status).toBe(200);
  });

  test("that are named may", async () => {
    const other = await serving({ origins: ["https://ok.example"] });
    const headers = { "Sec-Fetch-Site": "cross-site", Origin: "https://ok.example" };
    expect((await ask("/v1/models", headers, "GET", other)).status).toBe(200);
    await other.stop();
  });
});

describe("an address beyond this machine", () => {
  test.each(["0.0.0.0", "::", "localhost.example", "127.example"])("%s needs a token, or --open", async (host) => {
    await expect(serving({ host })).rejects.toThrow(
      `serve: everybody who reaches ${host} could use this server; give a token (SOFLOW_TOKEN or --token), or say --open to let everybody in`,
    );
  });

  test("is opened with a warning, for names that no page can make up", async () => {
    const said: string[] = [];
    const open = await serving({
      host: "0.0.0.0",
      open: true,
      hosts: ["ok.example"],
      report: (text) => said.push(text),
    });
    expect(said[0]).toBe("warning: no token is asked for: everybody who reaches 0.0.0.0 can use this server");
    const own = { ...open, url: open.url.replace("0.0.0.0", "127.0.0.1") };
    const statusAs = async (Host: string) => (await ask("/v1/models", { Host }, "GET", own)).status;
    for (const known of ["localhost:1", "192.168.1.7:80", "[fe80::1]", "ok.example"])
      expect(await statusAs(known)).toBe(200);
    for (const other of ["evil.example", "1.2.3.4.evil.example"]) expect(await statusAs(other)).toBe(421);
    await open.stop();
    const locked = await serving({ host: "0.0.0.0", token: "correct-horse" });
    await locked.stop();
  });

  test("a token that is refused is not shown, given in either way", async () => {
    const given = await soflow("serve", "nowhere", "--token", "se cret");
    process.env.SOFLOW_TOKEN = "se cret";
    const inherited = await soflow("serve", "nowhere");
    delete process.env.SOFLOW_TOKEN;
    for (const { code, err } of [given, inherited])
      expect([code, err]).toEqual([
        2,
        "soflow: serve: the token is refused; it must be 8 or more visible characters without spaces; see soflow serve --help\n",
      ]);
  });
});

describe.skipIf(process.platform === "win32")("a folder of runs", () => {
  const LINES = '{"step":1,"loss":2}\n';
  const samples = (run: string) => ask(`/v1/runs/samples?run=${run}&step=1`);
  const listed = async () =>
    (JSON.parse((await ask("/v1/runs")).text) as { runs: { name: string; active: boolean }[] }).runs;
  let runs: string;

  const writeRun = async (name: string): Promise<string> => {
    const run = join(runs, name);
    await mkdir(join(run, "samples"), { recursive: true });
    await writeFile(join(run, "metrics.jsonl"), LINES);
    return run;
  };
  const PICTURE = join("samples", "step-00000001.png");

  beforeAll(async () => {
    runs = join(folder, "runs");
    await mkdir(join(folder, "outside"), { recursive: true });
    await writeFile(join(folder, "outside", "step-00000001.png"), "secret");
    await writeFile(join(folder, "outside", "metrics.jsonl"), LINES);
  });

  test("gives no file from outside of it, by whatever link", async () => {
    const outside = join(folder, "outside");
    await symlink(join(outside, "step-00000001.png"), join(await writeRun("file"), PICTURE));
    await rm(join(await writeRun("folder"), "samples"), { recursive: true });
    await symlink(outside, join(runs, "folder", "samples"));
    await symlink(outside, join(runs, "whole"));
    await mkdir(join(runs, "metrics"));
    await symlink(join(outside, "metrics.jsonl"), join(runs, "metrics", "metrics.jsonl"));
    for (const run of ["file", "folder", "whole"]) {
      const { status, text } = await samples(run);
      expect([run, status]).toEqual([run, 404]);
      expect(text).not.toContain("secret");
    }
    for (const run of ["whole", "metrics", "../outside", ".", "file/../file", "file/", "%00"])
      expect((await ask(`/v1/runs/metrics?run=${run}`)).status, run).toBe(404);
    expect((await listed()).map(({ name }) => name)).toEqual(["file", "folder"]);
  });

  test("gives what is in it, also by a link within", async () => {
    const own = await writeRun("own");
    await writeFile(join(own, PICTURE), "picture");
    await symlink(join(own, PICTURE), join(await writeRun("within"), PICTURE));
    for (const run of ["own", "within"]) expect((await samples(run)).text).toBe("picture");
  });

  test("is listed whatever is in it: pipes, sockets, folders and binaries in the place of files", async () => {
    const piped = await writeRun("piped");
    for (const name of ["network.json", ".lock", PICTURE]) execFileSync("mkfifo", [join(piped, name)]);
    const odd = await writeRun("odd");
    for (const name of ["network.json", ".lock", PICTURE]) await mkdir(join(odd, name));
    await writeFile(join(odd, "metrics.jsonl"), Buffer.alloc(3_000_000, 0xff));
    const all = await listed();
    expect(all.filter(({ name }) => ["piped", "odd"].includes(name)).map(({ active }) => active)).toEqual([
      false,
      false,
    ]);
    for (const run of ["piped", "odd"]) expect((await samples(run)).status).toBe(404);
    expect(JSON.parse((await ask("/v1/runs/metrics?run=odd")).text)).toEqual({ steps: [], values: {} });
  });

  test("has curves of bounded size, from however many lines and names", async () => {
    const long = await writeRun("long");
    const names = (i: number) => Object.fromEntries(Array.from({ length: 40 }, (_, k) => [`m${(i % 20) * 40 + k}`, i]));
    const lines = Array.from({ length: 12_000 }, (_, i) => JSON.stringify({ step: i + 1, loss: i, ...names(i) }));
    await writeFile(
      join(long, "metrics.jsonl"),
      `${lines.join("\n")}\n${"x".repeat(200_000)}\n{"step":12001,"loss":7}\n`,
    );
    const { steps, values } = JSON.parse((await ask("/v1/runs/metrics?run=long")).text) as {
      steps: number[];
      values: Record<string, (number | null)[]>;
    };
    expect(steps.length).toBeLessThan(4100);
    expect([steps[0], steps.at(-1), values.loss!.at(-1)]).toEqual([1, 12_001, 7]);
    expect(Object.keys(values).length).toBeLessThanOrEqual(256);
    expect((await listed()).find(({ name }) => name === "long")).toMatchObject({ step: 12_001 });
  });
});
