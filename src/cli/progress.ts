/** Where a long run stands. */
export type Progress = {
  readonly step: number;
  readonly steps: number;
  /** Named numbers of this step, such as losses; the first ones are kept where a line is narrow. */
  readonly values: Readonly<Record<string, number>>;
};

/** Progress with its speed; the speed is NaN until it is known. */
export type TimedProgress = Progress & { readonly stepsPerSecond: number };

/** What a progress line needs of a stream such as `process.stderr`. */
export type LineStream = { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown };

const RATE_WINDOW_MS = 30_000;
const REDRAW_MS = 100;
const PLAIN_LINE_MS = 10_000;

/** Four significant digits at most: 0.0123, 1.235, 2e-7, nan. */
export const formatNumber = (value: number): string => {
  if (!Number.isFinite(value)) return String(value).toLowerCase();
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return String(Number(value.toPrecision(4)));
};

/** 48s, 4m 05s, 3h 07m, 2d 04h. */
export const formatDuration = (seconds: number): string => {
  const whole = Math.round(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
};

const speedParts = ({ step, steps, stepsPerSecond }: TimedProgress): readonly string[] => {
  if (!Number.isFinite(stepsPerSecond) || stepsPerSecond <= 0) return [];
  const left = step < steps ? [`${formatDuration((steps - step) / stepsPerSecond)} left`] : [];
  return [`${formatNumber(Number(stepsPerSecond.toPrecision(3)))} steps/s`, ...left];
};

const joinedLength = (parts: readonly string[]): number => parts.join("  ").length;

/**
 * The parts of a line of at most `width` characters: step, values, speed, time left. Where they do not fit, the last
 * values are left out first.
 */
const fitting = (progress: TimedProgress, width: number): readonly string[] => {
  const head = `step ${String(progress.step).padStart(String(progress.steps).length)}/${progress.steps}`;
  const speed = speedParts(progress);
  const values = Object.entries(progress.values).map(([name, value]) => `${name} ${formatNumber(value)}`);
  for (let kept = values.length; kept >= 0; kept--) {
    const parts = [head, ...values.slice(0, kept), ...speed];
    if (joinedLength(parts) <= width) return parts;
  }
  return [head.slice(0, Math.max(0, width))];
};

const dim = (part: string): string => part.replace(/^\S+/, "\u001b[2m$&\u001b[22m");

/** One line of progress of at most `width` visible characters; colour dims the names. */
export const formatProgress = (progress: TimedProgress, width = Number.POSITIVE_INFINITY, color = false): string =>
  fitting(progress, width)
    .map((part) => (color && /^[a-z]/i.test(part) ? dim(part) : part))
    .join("  ");

type Mark = { readonly step: number; readonly at: number };

/** Steps per second between the first and the last mark (milliseconds); NaN for fewer than two. */
export const rateOf = (marks: readonly Mark[]): number => {
  const [first, last] = [marks[0], marks.at(-1)];
  return first && last && last.at > first.at ? ((last.step - first.step) * 1000) / (last.at - first.at) : Number.NaN;
};

/**
 * Shows progress on a stream: on a terminal a live line, redrawn in place; in a pipe a plain line for the first step,
 * the last, and every ten seconds. `note` prints a line that stays; `done` ends the live line.
 */
export const createProgress = (
  stream: LineStream,
  { now = () => performance.now(), color = !process.env.NO_COLOR }: { now?: () => number; color?: boolean } = {},
) => {
  const live = stream.isTTY === true;
  let marks: readonly Mark[] = [];
  let drawnAt = Number.NEGATIVE_INFINITY;
  let line = "";
  const draw = (progress: TimedProgress): void => {
    // One column stays free: a terminal that wraps at the last one would scroll.
    line = live ? formatProgress(progress, (stream.columns ?? 80) - 1, color) : formatProgress(progress);
    stream.write(live ? `\r${line}\u001b[K` : `${line}\n`);
  };
  return {
    update: (progress: Progress): void => {
      const at = now();
      marks = [...marks.filter((mark) => at - mark.at <= RATE_WINDOW_MS), { step: progress.step, at }];
      const due = at - drawnAt >= (live ? REDRAW_MS : PLAIN_LINE_MS);
      if (!due && progress.step < progress.steps) return;
      drawnAt = at;
      draw({ ...progress, stepsPerSecond: rateOf(marks) });
    },
    note: (text: string): void => {
      stream.write(live && line !== "" ? `\r\u001b[K${text}\n${line}` : `${text}\n`);
    },
    done: (): void => {
      if (live && line !== "") stream.write("\n");
      line = "";
    },
  };
};
