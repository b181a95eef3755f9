// What does one step cost at each official size: time and memory, batch 1?
import { DIT_SIZES } from "../dist/models/dit.js";
import { UNET_SIZES } from "../dist/models/unet.js";
import { openSoflow } from "./lib/peers.mjs";
import { interleave, machine, spread, table } from "./lib/rounds.mjs";

const latents = { imageSize: 32, channels: 4, classes: 1000 };
const pixels = { imageSize: 32, channels: 3, classes: 0 };
const JOBS = {
  ...Object.fromEntries(
    Object.entries(DIT_SIZES).map(([name, size]) => [
      `${name}, latents 4×32×32`,
      { work: "sample", batch: 1, network: { ...size, ...latents } },
    ]),
  ),
  "DDPM++ U-Net, 3×32×32": { work: "sample", batch: 1, network: { ...UNET_SIZES["DDPM++"], ...pixels } },
  "sd-vae-ft-mse decodes to 256×256": { work: "autoencoder", half: "decode", size: 256 },
  "sd-vae-ft-mse encodes 256×256": { work: "autoencoder", half: "encode", size: 256 },
};

/** `official [rounds] [threads] [name]`: 7 rounds on 2 threads by default, one size after another, each in a process of its own. */
export const run = async ([rounds = "7", threads = "2", part = ""]) => {
  console.log(`${machine(threads)}; batch 1, float32\n`);
  const rows = [];
  for (const [name, job] of Object.entries(JOBS).filter(([name]) => name.includes(part))) {
    const peer = await openSoflow({ ...job, threads: Number(threads), warmup: 2 });
    const [{ ms, last }] = await interleave([peer], Number(rounds));
    peer.close();
    rows.push([name, spread(ms, 0), (last.peak / 1e9).toFixed(2)]);
  }
  table(["one step from noise to an image", "ms (quartiles)", "peak GB of the process"], rows);
};
