import type { Picture } from "./grid.js";

/** Rows of pictures on a white ground, top left aligned in cells of the largest one's size; undefined leaves a gap. */
export const mosaic = (rows: readonly (readonly (Picture | undefined)[])[], margin = 6): Picture => {
  const all = rows.flat().filter((picture) => picture !== undefined);
  const cell = {
    width: Math.max(...all.map(({ width }) => width)) + margin,
    height: Math.max(...all.map(({ height }) => height)) + margin,
  };
  const width = Math.max(...rows.map((row) => row.length)) * cell.width + margin;
  const height = rows.length * cell.height + margin;
  const rgb = new Uint8Array(width * height * 3).fill(255);
  for (const [r, row] of rows.entries())
    for (const [c, picture] of row.entries())
      if (picture) paste({ width, height, rgb }, picture, margin + c * cell.width, margin + r * cell.height);
  return { width, height, rgb };
};

const paste = (onto: Picture, { width, height, rgb }: Picture, left: number, top: number): void => {
  for (let y = 0; y < height; y++)
    onto.rgb.set(rgb.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * onto.width + left) * 3);
};
