import type { Verb } from "./program.js";

/** The verbs. Each file, and the library function behind it, is imported when it is needed and not before. */
export const verbsOf = (out: (text: string) => void): readonly Verb[] => [
  {
    name: "quickstart",
    load: async () => {
      const { quickstartCommand } = await import("./quickstart.js");
      return quickstartCommand(async (options) => (await import("./run/quickstart.js")).run(options, out));
    },
  },
  {
    name: "train",
    load: async () => {
      const { trainCommand } = await import("./train.js");
      return trainCommand(async (options) => (await import("./run/train.js")).run(options, out));
    },
  },
  {
    name: "sample",
    load: async () => {
      const { sampleCommand } = await import("./sample.js");
      return sampleCommand(async (options) => (await import("./run/sample.js")).run(options, out));
    },
  },
  {
    name: "import",
    load: async () => {
      const { importCommand } = await import("./import.js");
      return importCommand(async (options) => (await import("./run/import.js")).run(options, out));
    },
  },
  {
    name: "download",
    load: async () => {
      const { downloadCommand } = await import("./download.js");
      return downloadCommand(async (options) => (await import("./run/download.js")).run(options, out));
    },
  },
  {
    name: "encode",
    load: async () => {
      const { encodeCommand } = await import("./encode.js");
      return encodeCommand(async (job) => (await import("./run/encode.js")).run(job, out));
    },
  },
  {
    name: "presets",
    load: async () => {
      const { presetsCommand } = await import("./presets.js");
      return presetsCommand(async (name) => (await import("./run/presets.js")).run(name, out));
    },
  },
  {
    name: "export",
    load: async () => {
      const { exportCommand } = await import("./export.js");
      return exportCommand(async (options) => (await import("./run/export.js")).run(options, out));
    },
  },
  {
    name: "serve",
    load: async () => {
      const { serveCommand } = await import("./serve.js");
      return serveCommand(async (options) => (await import("./run/serve.js")).run(options, out));
    },
  },
  {
    name: "site",
    load: async () => {
      const { siteCommand } = await import("./site.js");
      return siteCommand(async (options) => (await import("./run/site.js")).run(options, out));
    },
  },
  {
    name: "compare",
    load: async () => {
      const { compareCommand } = await import("./compare.js");
      return compareCommand(async (options) => (await import("./run/compare.js")).run(options, out));
    },
  },
  {
    name: "features",
    load: async () => {
      const { featuresCommand } = await import("./features.js");
      return featuresCommand(async (options) => (await import("./run/features.js")).run(options, out));
    },
  },
  {
    name: "evaluate",
    load: async () => {
      const { evaluateCommand } = await import("./evaluate.js");
      return evaluateCommand(async (options) => (await import("./run/evaluate.js")).run(options, out));
    },
  },
  {
    name: "verify",
    load: async () => {
      const { verifyCommand } = await import("./verify.js");
      return verifyCommand(async (options) => (await import("./run/verify.js")).run(options, out));
    },
  },
  {
    name: "doctor",
    load: async () => {
      const { doctorCommand } = await import("./doctor.js");
      return doctorCommand((await import("./run/doctor.js")).engine, out);
    },
  },
];
