import type { HostArray, TensorType } from "../../graph/dtype.js";
import type { Program } from "../../onnx/program.js";

/** Names a tensor or a program that lives in the worker. */
export type Id = number;

/** By the program's names. */
export type Ids = Readonly<Record<string, Id>>;

/** What the main thread asks of the worker. Requests are served one after another, in order. */
export type Request =
  | { readonly kind: "tensor"; readonly tensor: Id; readonly type: TensorType; readonly data: HostArray }
  | { readonly kind: "write"; readonly tensor: Id; readonly data: HostArray }
  | { readonly kind: "read"; readonly tensor: Id }
  | { readonly kind: "dispose"; readonly tensor: Id }
  | { readonly kind: "compile"; readonly executable: Id; readonly program: Program }
  | { readonly kind: "run"; readonly executable: Id; readonly inputs: Ids; readonly outputs: Ids }
  | { readonly kind: "release"; readonly executable: Id };

/** The answer to request number `call`: what was read, nothing, or what went wrong. */
export type Reply = { readonly call: number; readonly data?: HostArray; readonly error?: string };

export type Call = { readonly call: number; readonly request: Request };

/** What the worker starts with. */
export type Setup = { readonly threads: number; readonly spin: boolean; readonly profile: string | undefined };

/** The worker's first message. */
export type Ready = { readonly version: string; readonly providers: readonly string[] };
