import { signal } from "@preact/signals";
import { Edit } from "./edit/edit.js";
import { Generate } from "./generate/generate.js";
import { chosenModel, connect, connection, model, models, provider, refusal, timing, token } from "./state.js";
import { Train } from "./train/train.js";

const TABS = { generate: Generate, edit: Edit, train: Train } as const;
type Tab = keyof typeof TABS;
const NAMES: Readonly<Record<Tab, string>> = { generate: "Generate", edit: "Edit", train: "Train" };
const ORDER = Object.keys(TABS) as Tab[];

const fromAddress = (): Tab => ORDER.find((tab) => `#${tab}` === location.hash) ?? "generate";
const tab = signal<Tab>(fromAddress());
addEventListener("hashchange", () => {
  tab.value = fromAddress();
});

const Tabs = () => (
  <nav class="tabs" aria-label="Parts">
    {ORDER.map((name) => (
      <a key={name} href={`#${name}`} aria-current={name === tab.value ? "page" : undefined}>
        {NAMES[name]}
      </a>
    ))}
  </nav>
);

const ModelChoice = () =>
  models.value.length > 1 ? (
    <select
      aria-label="Model"
      class="model"
      value={model.value?.name}
      onChange={({ currentTarget }) => {
        chosenModel.value = currentTarget.value;
      }}
    >
      {models.value.map(({ name }) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  ) : (
    <span class="model">{model.value?.name}</span>
  );

const Status = () => {
  const took = timing.value;
  return (
    <footer class="status" data-testid="status">
      <span class={`light ${connection.value}`} />
      <span>{connection.value === "online" ? provider.value : connection.value}</span>
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

const Locked = () => (
  <form
    class="notice"
    onSubmit={(event) => {
      event.preventDefault();
      token.value = String(new FormData(event.currentTarget).get("token") ?? "").trim();
      void connect();
    }}
  >
    <label for="token">This server asks for its token:</label>
    <div class="row">
      <input id="token" name="token" type="password" autocomplete="off" required />
      <button type="submit">Unlock</button>
    </div>
  </form>
);

const Notice = () => {
  if (connection.value === "locked") return <Locked />;
  if (connection.value === "offline")
    return (
      <div class="notice" role="alert">
        The server cannot be reached. Looking for it; this page goes on by itself when it is back.
      </div>
    );
  return refusal.value === "" ? null : (
    <div class="notice" role="alert">
      {refusal.value}
    </div>
  );
};

/** The page. */
export const App = () => {
  const Part = TABS[tab.value];
  return (
    <div class="page">
      <header>
        <a class="brand" href="#generate">
          <img src="/icon.svg" alt="" width="26" height="26" /> soflow
        </a>
        <Tabs />
        <ModelChoice />
      </header>
      <Notice />
      <main>
        <Part />
      </main>
      <Status />
    </div>
  );
};
