import { connection, loading, model, provider, timing } from "./state.js";

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

/** What draws, or how far it has come. */
const Provider = () => {
  const { loaded, total } = loading.value ?? { loaded: 0, total: 0 };
  if (!loading.value) return <span data-testid="provider">{provider.value}</span>;
  return (
    <span data-testid="provider">
      {loaded < total ? `loading ${megabytes(loaded)} of ${megabytes(total)} MB` : "starting ONNX Runtime"}
    </span>
  );
};

/** How far loading is, seen also where the status is not. */
export const LoadingBar = () => {
  const { loaded, total } = loading.value ?? { loaded: 0, total: 0 };
  if (!loading.value) return null;
  return (
    <progress
      class="loading"
      aria-label="The model is loaded"
      max={total}
      value={loaded < total ? loaded : undefined}
    />
  );
};

/** What draws, with which model, and how long the last images took. */
export const Status = () => {
  const took = timing.value;
  return (
    <footer class="status" data-testid="status">
      <span class={`light ${connection.value}`} />
      {connection.value === "online" ? <Provider /> : <span>{connection.value}</span>}
      {model.value && (
        <span>
          {model.value.methodName}, {model.value.size}×{model.value.size}, {(model.value.parameters / 1e6).toFixed(1)} M
          parameters
        </span>
      )}
      {took && (
        <span data-testid="timing">
          {took.images} image{took.images === 1 ? "" : "s"} in {took.server.toFixed(0)} ms ({took.evaluations}{" "}
          evaluation
          {took.evaluations === 1 ? "" : "s"} each), {took.round.toFixed(0)} ms to the screen
        </span>
      )}
    </footer>
  );
};
