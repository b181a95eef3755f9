/** Where ONNX Runtime computes in a browser. */
export type WebDevice = "webgpu" | "wasm";

/** Files of onnxruntime-web that a page needs for a device: the script that it imports, and what that script loads. */
export const WEB_FILES: Readonly<Record<WebDevice, { readonly script: string; readonly loads: readonly string[] }>> = {
  webgpu: {
    script: "ort.webgpu.min.mjs",
    loads: ["ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"],
  },
  wasm: { script: "ort.wasm.min.mjs", loads: ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"] },
};
