import { openRuntime } from "../../runtime/index.js";
import { verifyFolder } from "../../verify/verify.js";
import type { VerifyOptions } from "../verify.js";

/** `soflow verify`: one line a file, then the count. False when one failed, or was skipped and all are required. */
export const run = async (
  { folder, only, requireAll }: VerifyOptions,
  out: (text: string) => void,
): Promise<boolean> => {
  const runtime = await openRuntime();
  const counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    for await (const { name, status, detail } of verifyFolder({ folder, ...(only && { only }) }, runtime)) {
      counts[status]++;
      out(`${status.padEnd(7)} ${name}: ${detail}\n`);
    }
  } finally {
    await runtime.close();
  }
  out(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  return counts.failed === 0 && !(requireAll && counts.skipped > 0);
};
