import { signal } from "@preact/signals";
import { Segments } from "./controls.js";
import { Edit } from "./edit/edit.js";
import { Generate } from "./generate/generate.js";
import { SITE } from "./site.js";
import {
  canChoosePlace,
  chosenModel,
  connect,
  connection,
  model,
  models,
  pageTrouble,
  refusal,
  token,
  wantedPlace,
} from "./state.js";
import { LoadingBar, Status } from "./status.js";
import { Train } from "./train/train.js";

const TABS = { generate: Generate, edit: Edit, train: Train } as const;
type Tab = keyof typeof TABS;
const NAMES: Readonly<Record<Tab, string>> = { generate: "Generate", edit: "Edit", train: "Train" };
/** A site has nothing that trains. */
const ORDER = (Object.keys(TABS) as Tab[]).filter((name) => SITE === undefined || name !== "train");

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

const PLACES = [
  { value: "", name: "on the server" },
  { value: "page", name: "in this page" },
];

const PlaceChoice = () =>
  canChoosePlace.value ? (
    <div class="place">
      <span aria-hidden="true">Draw</span>
      <Segments label="Draw" value={wantedPlace} choices={PLACES} />
    </div>
  ) : null;

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
  const told = pageTrouble.value || refusal.value;
  return told === "" ? null : (
    <div class="notice" role="alert">
      {told}
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
          <img src="icon.svg" alt="" width="26" height="26" /> {document.title}
        </a>
        <Tabs />
        <ModelChoice />
        <PlaceChoice />
      </header>
      <LoadingBar />
      <Notice />
      <main>
        <Part />
      </main>
      <Status />
    </div>
  );
};
