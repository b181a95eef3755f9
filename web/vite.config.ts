import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** The app, built into dist/web, where `soflow serve` finds it. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  build: { outDir: "../dist/web", emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
  server: { proxy: { "/v1": "http://127.0.0.1:8080" } },
});
