type Labels = Readonly<Record<string, string | number>>;

/** A number that is read when metrics are asked for. */
type Gauge = { readonly name: string; readonly help: string; readonly read: () => number };

const escapeLabel = (value: string | number): string =>
  String(value).replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
const labelText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length > 0 ? `{${pairs.join(",")}}` : "";
};
const head = (name: string, help: string, type: string): string => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;

/** A counter with labels, as Prometheus counts. */
export class Counter {
  private readonly values = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly help: string,
  ) {}

  add(labels: Labels = {}, amount = 1): void {
    const text = labelText(labels);
    this.values.set(text, (this.values.get(text) ?? 0) + amount);
  }

  toString(): string {
    const lines = [...this.values].map(([labels, value]) => `${this.name}${labels} ${value}\n`);
    return head(this.name, this.help, "counter") + lines.join("");
  }
}

/** A histogram with fixed upper bounds; the last bucket, +Inf, is added. */
export class Histogram {
  private readonly counts: number[];
  private sum = 0;
  private total = 0;

  constructor(
    readonly name: string,
    readonly help: string,
    private readonly bounds: readonly number[],
  ) {
    this.counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    for (const [i, bound] of this.bounds.entries()) if (value <= bound) this.counts[i]!++;
    this.sum += value;
    this.total++;
  }

  toString(): string {
    const buckets = this.bounds.map((bound, i) => `${this.name}_bucket{le="${bound}"} ${this.counts[i]}\n`);
    const rest = `${this.name}_bucket{le="+Inf"} ${this.total}\n${this.name}_sum ${this.sum}\n${this.name}_count ${this.total}\n`;
    return head(this.name, this.help, "histogram") + buckets.join("") + rest;
  }
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What the server counts; `toString` is Prometheus's text format, version 0.0.4. */
export class ServerMetrics {
  readonly requests = new Counter("soflow_requests_total", "Requests answered, by route and status.");
  readonly images = new Counter("soflow_images_total", "Images made, by model.");
  readonly latency = new Histogram("soflow_request_seconds", "Seconds from request to answer.", SECONDS);
  readonly batches = new Histogram("soflow_batch_images", "Images in a batch.", [1, 2, 4, 8, 16, 32, 64, 128]);
  readonly batchTime = new Histogram("soflow_batch_seconds", "Seconds that a batch took.", SECONDS);
  private readonly gauges: Gauge[] = [
    {
      name: "process_resident_memory_bytes",
      help: "Resident memory.",
      read: () => process.memoryUsage().rss,
    },
  ];

  gauge(name: string, help: string, read: () => number): void {
    this.gauges.push({ name, help, read });
  }

  toString(): string {
    const gauges = this.gauges.map(({ name, help, read }) => `${head(name, help, "gauge")}${name} ${read()}\n`);
    return [this.requests, this.images, this.latency, this.batches, this.batchTime, ...gauges].join("");
  }
}
