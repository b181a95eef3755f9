import { Command } from "commander";

export type DownloadOptions = {
  /** owner/name. */
  readonly id: string;
  readonly revision?: string;
  readonly endpoint?: string;
  readonly cacheDir?: string;
};

const EXAMPLES = `
Examples:
  SOFLOW_HUB=https://hub.example soflow download someone/digits
  soflow download someone/digits --endpoint https://hub.example --revision v1.0
  soflow sample someone/digits --count 64         downloads it first, where SOFLOW_HUB is set

The hub has Hugging Face's paths: {hub}/{id}/resolve/{revision}/{file}. HF_TOKEN is sent to it, where it is set.
An interrupted download goes on; SOFLOW_OFFLINE=1 uses what is there.
`;

/** `soflow download`; `run` fetches the model and says where it is. */
export const downloadCommand = (run: (options: DownloadOptions) => Promise<void>): Command =>
  new Command("download")
    .description("Download a model by its id into the cache.")
    .argument("<id>", "owner/name")
    .option("--revision <name>", "a branch, a tag or a commit (default: main)")
    .option("--endpoint <url>", "address of the hub (default: $SOFLOW_HUB, then $HF_ENDPOINT)")
    .option("--cache-dir <dir>", "where to keep it (default: $SOFLOW_CACHE, then ~/.cache/soflow)")
    .addHelpText("after", EXAMPLES)
    .action((id: string, flags: Omit<DownloadOptions, "id">) => run({ id, ...flags }));
