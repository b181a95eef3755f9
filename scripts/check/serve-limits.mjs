// Attacks `soflow serve` and measures what it takes: memory under stalled bodies, pictures that are bombs and requests for very
// large answers; how long a stop with --grace 1 takes under long work; how soon work ends that nobody waits for.
// Linux only (reads /proc). Usage: npm run build && node scripts/check/serve-limits.mjs
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { inFolder, serve, writeModel } from "./serving.mjs";

const MIB = 2 ** 20;
const memory = (pid, field) =>
  Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024);
const JSON_TYPE = { "Content-Type": "application/json" };

const post = async (url, body, signal) => {
  const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body), signal };
  const response = await fetch(url, init).catch(() => undefined);
  await response?.arrayBuffer().catch(() => {});
  return response?.status;
};

/** Counts of what was answered. */
const tally = (statuses) =>
  [...new Set(statuses)].map((one) => `${statuses.filter((status) => status === one).length} × ${one}`).join(", ");

/** A connection that sends most of a body and then nothing. */
const stall = (url, size) =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url);
    const head = "POST /v1/images/edit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let text = "";
    const socket = connect(Number(port), hostname, () => {
      socket.write(`${head}Content-Length: ${size}\r\n\r\n{"image":"`);
      socket.write(Buffer.alloc(size - MIB, 65));
    });
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(/^HTTP\/1.1 (\d+)/.exec(text)?.[1] ?? "closed"));
  });

const blank = (side) => sharp({ create: { width: side, height: side, channels: 4, background: "#fff" } });
const BOMBS = {
  "16-bit interlaced PNG, 4000×4000": () => blank(4000).toColourspace("rgba16").png({ progressive: true }),
  "PNG, 16000×16000": () => blank(16_000).png(),
  "progressive JPEG, 2000×2000": () => blank(2000).jpeg({ progressive: true, chromaSubsampling: "4:4:4" }),
  "WebP, 4000×4000": () => blank(4000).webp({ quality: 1 }),
};

const running = async (url) => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^soflow_running_images (\d+)$/m.exec(text)[1]) + Number(/^soflow_queue_images (\d+)$/m.exec(text)[1]);
};

await inFolder(async (folder) => {
  const model = await writeModel(join(folder, "tiny"));
  const server = await serve(model);
  const { url, pid } = server;
  console.log(`idle: ${memory(pid, "VmRSS")} MB`);
  const stalled = Promise.all(Array.from({ length: 200 }, () => stall(url, 15 * MIB)));
  await sleep(3000);
  console.log(`small request meanwhile: ${await post(`${url}/v1/images`, { seed: 1 })}`);
  console.log(`200 stalled bodies: ${tally(await stalled)}; peak ${memory(pid, "VmHWM")} MB`);
  for (const [name, make] of Object.entries(BOMBS)) {
    const image = (await make().toBuffer()).toString("base64");
    const began = performance.now();
    const statuses = await Promise.all(Array.from({ length: 50 }, () => post(`${url}/v1/images/edit`, { image })));
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const size = (image.length / MIB).toFixed(2);
    console.log(`50 × ${name}, ${size} MiB: ${tally(statuses)} in ${seconds} s; peak ${memory(pid, "VmHWM")} MB`);
  }
  const large = { count: 256, scale: 16 };
  const statuses = await Promise.all(Array.from({ length: 50 }, () => post(`${url}/v1/images`, large)));
  console.log(`50 × 256 images of 256×256: ${tally(statuses)}; peak ${memory(pid, "VmHWM")} MB`);
  const many = JSON.stringify(Array(5_000_000).fill({}));
  const parsed = await Promise.all(
    Array.from({ length: 50 }, () =>
      fetch(`${url}/v1/images`, { method: "POST", headers: JSON_TYPE, body: many }).then(
        async (response) => {
          await response.text();
          return response.status;
        },
        () => "closed",
      ),
    ),
  );
  console.log(`50 × JSON of 5 million objects: ${tally(parsed)}; peak ${memory(pid, "VmHWM")} MB`);

  const leaving = new AbortController();
  const left = post(`${url}/v1/images`, { count: 256, steps: 256 }, leaving.signal);
  while ((await running(url)) < 200) await sleep(5);
  const began = performance.now();
  leaving.abort();
  await left;
  while ((await running(url)) > 0) await sleep(1);
  console.log(
    `256 images of 256 steps after their client left: nothing runs or waits after ${Math.round(performance.now() - began)} ms`,
  );
  console.log(`stop, idle: ${(await server.stop()).seconds.toFixed(2)} s; log: ${JSON.stringify(server.log())}`);

  for (const changes of [{}, { width: 384, depth: 24, heads: 6, patch: 2, imageSize: 32 }]) {
    const path = await writeModel(join(folder, `stop ${changes.width ?? ""}`), changes);
    const other = await serve(path, "--grace", "1", "--timeout", "600");
    const job = post(`${other.url}/v1/images`, { count: 256, steps: 256 });
    await sleep(1500);
    const { seconds, code, signal } = await other.stop();
    console.log(
      `stop with --grace 1, ${changes.width ?? "tiny"}: ${seconds.toFixed(2)} s, code ${code ?? signal}; its client: ${await job}`,
    );
  }
});
