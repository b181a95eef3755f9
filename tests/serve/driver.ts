import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { expect } from "vitest";

/** Drives the built app in the system's Chromium, as a person would. */

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const BUILT = fileURLToPath(new URL("../../dist/web/index.html", import.meta.url));
/** What these tests need and this machine lacks. */
export const missing = [
  ...(existsSync(CHROMIUM) ? [] : [`no browser at ${CHROMIUM} (set CHROMIUM)`]),
  ...(existsSync(BUILT) ? [] : ["the app is not built (npm run build:web)"]),
].join(", ");

export const WIDE = { width: 1100, height: 800 };

type Opened = {
  /** With a final slash. */
  readonly url: string;
  readonly tab: string;
  readonly size?: typeof WIDE;
  /** Gets errors of the page, and requests to anywhere beyond `url`. */
  readonly problems: string[];
};

/** The app in a page of its own. */
export const openApp = async (browser: Browser, { url, tab, size = WIDE, problems }: Opened): Promise<Page> => {
  const page = await browser.newPage({ viewport: size, hasTouch: size.width < 500 });
  page.setDefaultTimeout(8000);
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) problems.push(message.text());
  });
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(url)) problems.push(`asked ${request.url()}`);
  });
  await page.goto(`${url}#${tab}`);
  return page;
};

const canvasOf = (page: Page, id: string) => page.getByTestId(id).locator("xpath=descendant-or-self::canvas");

/** Pixels of a canvas of the page, as text to compare. */
export const pixels = (page: Page, id: string): Promise<string> =>
  canvasOf(page, id).evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());

/** The same as numbers, RGBA. */
export const bytes = (page: Page, id: string): Promise<number[]> =>
  canvasOf(page, id).evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    return [...canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height).data];
  });

/** Waits until a canvas has other pixels than before and keeps them, and gives them. */
export const changed = async (page: Page, id: string, before: string): Promise<string> => {
  let now = before;
  const isOther = async (): Promise<boolean> => {
    const last = now;
    now = await pixels(page, id);
    return now !== before && now === last;
  };
  await expect.poll(isOther, { timeout: 10_000, interval: 120 }).toBe(true);
  return now;
};

/** The first images in a canvas: until they come, it has the size that every canvas begins with. */
export const drawn = async (page: Page, id: string): Promise<string> => {
  const width = () => page.getByTestId(id).evaluate((canvas) => (canvas as HTMLCanvasElement).width);
  await expect.poll(width, { timeout: 10_000 }).not.toBe(300);
  return changed(page, id, "");
};

type Point = readonly [x: number, y: number];

/** Drags from one point of an element to another, in shares of its size. */
export const drag = async (page: Page, id: string, from: Point, to: Point): Promise<void> => {
  const box = (await page.getByTestId(id).boundingBox())!;
  await page.mouse.move(box.x + from[0] * box.width, box.y + from[1] * box.height);
  await page.mouse.down();
  await page.mouse.move(box.x + to[0] * box.width, box.y + to[1] * box.height, { steps: 5 });
  await page.mouse.up();
};
