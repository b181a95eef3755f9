// Writes docs/images/app-*.png from a server that runs: node scripts/app-screenshots.mjs URL. Chromium: $CHROMIUM or /usr/bin/chromium.
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const url = process.argv[2] ?? "http://127.0.0.1:8080";
const folder = process.argv[3] ?? fileURLToPath(new URL("../docs/images", import.meta.url));
const WIDE = { width: 1180, height: 800 };
const PHONE = { width: 390, height: 844 };

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" });

const settled = (page) => page.waitForTimeout(900);

const drag = async (page, box, points) => {
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(points[0]));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 6 });
  await page.mouse.up();
};

const drawSeven = async (page) => {
  const box = await page.getByTestId("pad").boundingBox();
  await drag(page, box, [
    [0.3, 0.25],
    [0.72, 0.25],
    [0.45, 0.8],
  ]);
};

const SHOTS = {
  generate: async (page) => page.goto(`${url}/#generate`),
  morph: async (page) => {
    await page.goto(`${url}/#generate`);
    await page.getByRole("button", { name: "3", exact: true }).click();
    await page.getByRole("radio", { name: "Morph" }).check();
    await settled(page);
    await drag(page, await page.getByTestId("plane").boundingBox(), [
      [0.5, 0.5],
      [0.7, 0.35],
    ]);
  },
  page: async (page) => {
    await page.goto(`${url}/#generate`);
    await page.getByRole("radio", { name: "in this page" }).check();
    await page.getByText("WebAssembly in this page").waitFor();
    await SHOTS.morph(page);
  },
  between: async (page) => {
    await page.goto(`${url}/#generate`);
    await page.getByRole("radio", { name: "Between" }).check();
  },
  edit: async (page) => {
    await page.goto(`${url}/#edit`);
    await page.getByRole("button", { name: "7", exact: true }).click();
    await drawSeven(page);
  },
  train: async (page) => page.goto(`${url}/#train`),
};

for (const [kind, size, colorScheme, names] of [
  ["", WIDE, "light", Object.keys(SHOTS)],
  ["-dark", WIDE, "dark", ["generate", "train"]],
  ["-phone", PHONE, "dark", ["generate", "morph", "edit", "train"]],
])
  for (const name of names) {
    const page = await browser.newPage({ viewport: size, colorScheme });
    page.on("console", (message) => message.type() === "error" && console.error(`${name}: ${message.text()}`));
    page.on("pageerror", (error) => console.error(`${name}: ${error.message}`));
    await SHOTS[name](page);
    await settled(page);
    await page.screenshot({ path: `${folder}/app-${name}${kind}.png` });
    await page.close();
  }
await browser.close();
