import { presetTable, presetYaml, requirePreset } from "../../train/config/presetText.js";

/** `soflow presets`: the table, or one preset as YAML. */
export const run = async (name: string | undefined, out: (text: string) => void): Promise<void> =>
  out(name === undefined ? `${presetTable()}\n` : presetYaml(requirePreset(name)));
