import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import sharp from "sharp";
import { pack } from "tar-stream";

/** Writes a file, making its folder. */
export const write = async (path: string, bytes: Uint8Array | string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
};

/** Bytes of an RGB image whose pixels are a function of place and index. */
export const pattern = (width: number, height: number, index: number): Uint8Array =>
  Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7 + index * 31 + (i % 3) * 50) % 256);

/** The PNG of such an image. */
export const png = (width: number, height: number, index: number): Promise<Buffer> =>
  sharp(pattern(width, height, index), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();

/** The bytes of a tar with these members. */
export const tar = async (members: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> => {
  const archive = pack();
  for (const [name, content] of Object.entries(members)) archive.entry({ name }, Buffer.from(content as Uint8Array));
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

/** The bytes of an idx file. */
export const idx = (magic: number, sizes: readonly number[], body: Uint8Array): Uint8Array => {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.writeUInt32BE(magic, 0);
  sizes.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([header, body]);
};
