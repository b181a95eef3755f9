import { parentPort, workerData } from "node:worker_threads";
import { env, InferenceSession, listSupportedBackends, Tensor } from "#onnxruntime-node";
import { messageOf } from "../../errors.js";
import type { HostArray, TensorType } from "../../graph/dtype.js";
import { withFixed } from "../../onnx/model.js";
import type { Program } from "../../onnx/program.js";
import { oneLine } from "../check.js";
import type { Call, Id, Ids, Ready, Reply, Request, Setup } from "./protocol.js";

/** onnxruntime-node's `run` blocks its thread, so sessions and tensors live on this one. */

type Compiled = { readonly session: InferenceSession; readonly bound: Readonly<Record<string, Tensor>> };
type Stored = { readonly data: HostArray; readonly tensor: Tensor };

const tensors = new Map<Id, Stored>();
const sessions = new Map<Id, Compiled>();
const { threads, spin, profile } = workerData as Setup;

// Where there is a Float16Array (Node 24), onnxruntime-common wraps 16-bit values in it, and onnxruntime-node 1.30 takes such an
// array for an empty one. Without it they stay Uint16Arrays, as on older Node. It is looked for when the first tensor is made.
Reflect.deleteProperty(globalThis, "Float16Array");

/** Memory patterns are off for the reason given in ../native/session.ts. */
const OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  graphOptimizationLevel: "all",
  enableMemPattern: false,
  logSeverityLevel: 4, // errors are thrown with their messages
  extra: { session: { set_denormal_as_zero: "1", intra_op: { allow_spinning: spin ? "1" : "0" } } },
  ...(profile && { enableProfiling: true, profileFilePrefix: profile }),
};

const store = (id: Id, { dtype, shape }: TensorType, data: HostArray): void => {
  tensors.set(id, { data, tensor: new Tensor(dtype, data as never, [...shape]) });
};

const named = (ids: Ids): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, tensors.get(id)!.tensor]));

/** The model with everything inside: onnxruntime-node takes no values beside it. */
const bytesOf = ({ bytes, fixed }: Program): Uint8Array => (fixed ? withFixed(bytes, fixed) : bytes);

const boundTensors = ({ bound = {} }: Program): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(bound).map(([name, { type, data }]) => [
      name,
      new Tensor(type.dtype, data as never, [...type.shape]),
    ]),
  );

const run = async ({ session, bound }: Compiled, inputs: Ids, outputs: Ids): Promise<void> => {
  await session.run({ ...bound, ...named(inputs) }, named(outputs));
};

const serve = async (request: Request): Promise<HostArray | undefined> => {
  switch (request.kind) {
    case "tensor":
      store(request.tensor, request.type, request.data);
      return;
    case "write":
      tensors.get(request.tensor)!.data.set(request.data as never);
      return;
    case "read":
      return tensors.get(request.tensor)!.data.slice() as HostArray;
    case "dispose":
      tensors.delete(request.tensor);
      return;
    case "compile":
      sessions.set(request.executable, {
        session: await InferenceSession.create(bytesOf(request.program), OPTIONS),
        bound: boundTensors(request.program),
      });
      return;
    case "run":
      await run(sessions.get(request.executable)!, request.inputs, request.outputs);
      return;
    case "release":
      await sessions.get(request.executable)?.session.release();
      sessions.delete(request.executable);
      return;
  }
};

const answer = async ({ call, request }: Call): Promise<void> => {
  try {
    const data = await serve(request);
    const reply: Reply = { call, ...(data && { data }) };
    parentPort!.postMessage(reply, data ? [data.buffer] : []);
  } catch (thrown) {
    const reply: Reply = { call, error: oneLine(messageOf(thrown)) };
    parentPort!.postMessage(reply);
  }
};

let last: Promise<void> = Promise.resolve();
parentPort!.on("message", (message: Call) => {
  last = last.then(() => answer(message));
});

const ready: Ready = {
  version: env.versions.node ?? env.versions.common,
  providers: listSupportedBackends().map(({ name }) => name),
};
parentPort!.postMessage(ready);
