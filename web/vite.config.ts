import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { thirdPartyNotices } from "./notices.js";

const notices = thirdPartyNotices();

/** The app, built into dist/web, where `soflow serve` and `soflow site` find it. Its addresses are relative: it may lie in any folder. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  base: "./",
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  plugins: [notices.app],
  worker: { format: "es", plugins: () => [notices.worker] },
  server: { proxy: { "/v1": "http://127.0.0.1:8080", "/ort": "http://127.0.0.1:8080" } },
});
