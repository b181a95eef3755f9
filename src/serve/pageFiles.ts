import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AppOptions } from "./app.js";
import { deadline } from "./deadline.js";
import { sendFile } from "./diskFile.js";
import { modelNamed } from "./model.js";
import { Refusal } from "./refusal.js";
import { exportRoute } from "./routes.js";
import { webRuntimeFiles } from "./webRuntime.js";

/** The routes for pages that draw by themselves: exported models, and ONNX Runtime's files. */
export const addPageFiles = (app: OpenAPIHono, { models, exports, ending }: AppOptions): void => {
  app.openapi(exportRoute, async (c) => {
    const { model, file } = c.req.valid("param");
    const { signal, clear } = deadline(c, ending);
    const place = await exports.find(modelNamed(models, model), file, signal).finally(clear);
    return sendFile(c, place);
  });
  const runtime = webRuntimeFiles();
  app.get("/ort/:file", (c) => {
    const place = runtime.get(c.req.param("file"));
    if (place === undefined) throw new Refusal(404, "path", "there is no such file of ONNX Runtime");
    return sendFile(c, place);
  });
};
