/**
 * Writes metrics in the Prometheus text format, version 0.0.4.
 *
 * A family is a head and its samples, which must follow it before the next head. The text grows until it is
 * taken, so that a long one can be sent in parts.
 */
import type { Histogram } from "./histogram.ts";

/** The content type of the format. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", '"': '\\"', "\n": "\\n" };

/** The labels of a sample, `{name="value",...}`; an empty text without any. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeValue(value: string): string {
  return value.replace(/[\\"\n]/g, (special) => ESCAPES[special]);
}

export class MetricsWriter {
  readonly #prefix: string;
  #text = "";
  #name = "";

  /** @param prefix what every name starts with, such as `nsq_` */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Characters that wait to be taken. */
  get length(): number {
    return this.#text.length;
  }

  /** Begins a family: `name` ends in its unit, and in `_total` when it is a counter. */
  head(name: string, type: "counter" | "gauge" | "histogram", help: string): void {
    this.#name = this.#prefix + name;
    this.#text += `# HELP ${this.#name} ${help}\n# TYPE ${this.#name} ${type}\n`;
  }

  /** Adds a sample to the family; `labels` as `labelsText` makes them. */
  sample(value: number, labels = ""): void {
    this.#text += `${this.#name}${labels} ${value}\n`;
  }

  /** A family of one sample. */
  gauge(name: string, help: string, value: number, labels = ""): void {
    this.head(name, "gauge", help);
    this.sample(value, labels);
  }

  /** A family of one sample; `name` ends in `_total`. */
  counter(name: string, help: string, value: number): void {
    this.head(name, "counter", help);
    this.sample(value);
  }

  /** A family of one histogram. */
  histogram(name: string, help: string, histogram: Histogram): void {
    this.head(name, "histogram", help);
    const { bounds, counts, sum } = histogram;
    let seen = 0;
    for (let i = 0; i < counts.length; i++) {
      seen += counts[i];
      this.#text += `${this.#name}_bucket{le="${i < bounds.length ? bounds[i] : "+Inf"}"} ${seen}\n`;
    }
    this.#text += `${this.#name}_sum ${sum}\n${this.#name}_count ${seen}\n`;
  }

  /** What was written since the last take. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}
