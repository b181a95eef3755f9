import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../../errors.js";
import { key } from "../../random/random.js";
import { download } from "./download.js";

const BYTES = Buffer.from(key(1).normal(500).buffer);
const SUM = createHash("sha256").update(BYTES).digest("hex");
const HALF = BYTES.length / 2;

/** An answer; a number is a status without headers and body. */
type Answer = number | { status: number; headers?: OutgoingHttpHeaders; body?: Buffer };
/** What a server does with request number `i`, from 0. */
type Behavior = (request: IncomingMessage, i: number) => Answer;

let [folder, file, url] = ["", "", ""];
let server: Server;
let requests: IncomingMessage[] = [];
let behave: Behavior = () => 404;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "soflow-download-"));
  file = join(folder, "weights");
  requests = [];
  server = createServer((request, response) => {
    const answer = behave(request, requests.push(request) - 1);
    const { status, headers = {}, body } = typeof answer === "number" ? { status: answer } : answer;
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/weights`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const whole = (etag = '"v1"', body = BYTES): Answer => ({
  status: 200,
  headers: { etag, "content-length": body.length },
  body,
});
const rest = (from: number, etag = '"v1"'): Answer => ({
  status: 206,
  headers: { etag, "content-range": `bytes ${from}-${BYTES.length - 1}/${BYTES.length}` },
  body: BYTES.subarray(from),
});
const nothingLeft = (total: number, etag = '"v1"'): Answer => ({
  status: 416,
  headers: { etag, "content-range": `bytes */${total}` },
});

/** A part of the file that an interrupted download left. */
const begun = async (bytes: Buffer, etag = '"v1"'): Promise<void> => {
  await writeFile(`${file}.part`, bytes);
  await writeFile(`${file}.part.etag`, etag);
};
const get = (options: Parameters<typeof download>[2] = {}) => download(url, file, { retryDelay: 1, ...options });
const expectWhole = async (count: number): Promise<void> => {
  expect(await readFile(file)).toEqual(BYTES);
  expect([existsSync(`${file}.part`), existsSync(`${file}.part.etag`)]).toEqual([false, false]);
  expect(requests).toHaveLength(count);
};
const asked = () => requests.map(({ headers }) => headers.range);

describe("a server that has nothing left to send (416)", () => {
  test("and a part that is whole: it is taken, without another request", async () => {
    await begun(BYTES);
    behave = () => nothingLeft(BYTES.length);
    expect(await get()).toEqual({ status: "new", etag: '"v1"' });
    await expectWhole(1);
  });

  test("and a part of that size with another checksum: from the beginning, once", async () => {
    await begun(Buffer.alloc(BYTES.length), `"${SUM}"`);
    behave = ({ headers }) => (headers.range ? nothingLeft(BYTES.length, `"${SUM}"`) : whole(`"${SUM}"`));
    await get();
    await expectWhole(2);
    expect(asked()).toEqual([`bytes=${BYTES.length}-`, undefined]);
  });

  test("and a part longer than the file is: from the beginning", async () => {
    await begun(Buffer.concat([BYTES, BYTES]));
    behave = ({ headers }) => (headers.range ? nothingLeft(BYTES.length) : whole());
    await get();
    await expectWhole(2);
  });

  test("whatever is asked for: two requests, then an error", async () => {
    await begun(BYTES.subarray(0, HALF));
    behave = () => 416;
    await expect(get()).rejects.toThrow(new UserError(`${url} answers 416 Range Not Satisfiable`));
    expect(asked()).toEqual([`bytes=${HALF}-`, undefined]);
    expect(existsSync(`${file}.part`)).toBe(false);
  });
});

describe("a part that was begun", () => {
  beforeEach(() => begun(BYTES.subarray(0, HALF)));

  test("is completed", async () => {
    behave = () => rest(HALF);
    await get();
    await expectWhole(1);
  });

  test.each<[string, Answer]>([
    ["a server that sends all again (200)", whole()],
    ["a file that is another version now (200)", whole('"v2"')],
  ])("%s: its answer is taken from its beginning", async (_, answer) => {
    behave = () => answer;
    await get();
    await expectWhole(1);
  });

  test.each<[string, Answer]>([
    ["the rest of another version", rest(HALF, '"v2"')],
    ["another range than was asked for", rest(HALF - 4)],
    ["a range that it does not state", { status: 206, body: BYTES.subarray(HALF) }],
  ])("%s: from the beginning, once", async (_, answer) => {
    behave = ({ headers }) => (headers.range ? answer : whole());
    await get();
    await expectWhole(2);
  });
});

describe("sizes that are not true", () => {
  const stating = (length: number): Answer => ({ status: 200, headers: { "content-length": length }, body: BYTES });

  test("more than is sent: an error that says how far it came", async () => {
    behave = () => ({
      status: 206,
      headers: { etag: '"v1"', "content-range": `bytes ${HALF}-9998/9999` },
      body: BYTES,
    });
    await begun(BYTES.subarray(0, HALF));
    await expect(get()).rejects.toThrow(`${url} stopped after ${HALF + BYTES.length} of 9999 bytes; the same call`);
    behave = () => stating(2 * BYTES.length);
    setTimeout(() => server.closeAllConnections(), 200);
    await expect(get()).rejects.toThrow(`${url} stopped after ${BYTES.length} of ${2 * BYTES.length} bytes: `);
  });

  test("less than is sent: removed, and said", async () => {
    await begun(BYTES.subarray(0, HALF));
    const headers = { etag: '"v1"', "content-range": `bytes ${HALF}-${HALF + 9}/${HALF + 10}` };
    behave = () => ({ status: 206, headers, body: BYTES });
    await expect(get()).rejects.toThrow(
      `${url} was received with ${HALF + BYTES.length} bytes, not ${HALF + 10}; it has been removed, the same call`,
    );
    expect(existsSync(`${file}.part`)).toBe(false);
  });
});

describe("a server that cannot now", () => {
  test.each([429, 500, 502, 503, 504])("%i: asked again", async (status) => {
    behave = (_, i) => (i < 4 ? status : whole());
    await get();
    await expectWhole(5);
  });

  test("and never can: five requests, then an error", async () => {
    behave = () => 503;
    await expect(get()).rejects.toThrow(
      new UserError(`${url} answers 503 Service Unavailable, 5 times; try again later`),
    );
    expect(requests).toHaveLength(5);
  });

  test("and says when: waited for, where it is not long", async () => {
    behave = (_, i) => (i === 0 ? { status: 429, headers: { "retry-after": "1" } } : whole());
    const start = performance.now();
    await get({ retryDelay: 1e9 });
    expect(performance.now() - start).toBeGreaterThan(900);
    await expectWhole(2);
    const later = new Date(Date.now() + 3_600_000).toUTCString();
    for (const wait of ["3600", later]) {
      behave = () => ({ status: 429, headers: { "retry-after": wait } });
      await expect(get()).rejects.toThrow(
        /answers 429 Too Many Requests and asks to wait 3[56]\d\d s; the same call works after that$/,
      );
    }
    expect(requests).toHaveLength(4);
  });

  test("waiting ends when the caller aborts", async () => {
    behave = () => 503;
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error("enough")), 50);
    await expect(get({ retryDelay: 1e9, signal: stop.signal })).rejects.toThrow();
    expect(requests.length).toBeLessThan(2);
  });
});

test("redirects in a circle end", async () => {
  behave = () => ({ status: 302, headers: { location: url } });
  await expect(get()).rejects.toThrow(new UserError(`${url} leads from one redirect to the next, 20 times`));
});

test.each([204, 304, 401, 403, 410, 501])("%i is an error, and leaves no file", async (status) => {
  behave = () => status;
  await expect(get()).rejects.toThrow(`${url} answers ${status} `);
  expect([existsSync(file), requests.length]).toEqual([false, 1]);
});
