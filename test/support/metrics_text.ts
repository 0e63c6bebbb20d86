/** A strict reader of the Prometheus text format: it throws on whatever the format or its conventions do not allow. */
import assert from "node:assert/strict";

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  name: string;
  type: string;
  samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)$/;
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN)$/;
const ESCAPES: Record<string, string> = { "\\": "\\", '"': '"', n: "\n" };

/** The families of `text` by name. */
export function parseMetrics(text: string): Map<string, Family> {
  assert.ok(text.endsWith("\n"), "the last line has no end");
  const families = new Map<string, Family>();
  let family: Family | null = null, helped = "";
  for (const line of text.slice(0, -1).split("\n")) {
    if (line.startsWith("# HELP ")) {
      const [name] = line.slice(7).split(" ", 1);
      assert.match(name, NAME);
      assert.ok(line.length > 8 + name.length, `${name} has no help`);
      helped = name;
      family = null;
    } else if (line.startsWith("# TYPE ")) {
      const [name, type, ...rest] = line.slice(7).split(" ");
      assert.deepEqual([name, rest], [helped, []], line);
      assert.ok(["counter", "gauge", "histogram"].includes(type), line);
      assert.ok(!families.has(name), `${name} begins twice`);
      families.set(name, family = { name, type, samples: [] });
    } else {
      assert.ok(family !== null, `a sample outside of a family: ${line}`);
      family.samples.push(parseSample(line, family));
    }
  }
  for (const each of families.values()) checkFamily(each);
  return families;
}

/** The value of the one sample of `name` that has all of `labels`. */
export function valueOf(
  families: Map<string, Family>,
  name: string,
  labels: Record<string, string> = {},
): number {
  const found = (families.get(name)?.samples ?? []).filter((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  );
  assert.equal(found.length, 1, `${name}${JSON.stringify(labels)} has ${found.length} samples`);
  return found[0].value;
}

function parseSample(line: string, family: Family): Sample {
  const match = SAMPLE.exec(line);
  assert.ok(match !== null, `no sample: ${line}`);
  const [, name, labels = "", value] = match;
  const suffixes = family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  assert.ok(suffixes.some((suffix) => name === family.name + suffix), `${name} is not of ${family.name}`);
  assert.match(value, VALUE);
  return { name, labels: parseLabels(labels), value: Number(value.replace("Inf", "Infinity")) };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const one = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;
  while (one.lastIndex < text.length) {
    const at = one.lastIndex, match = one.exec(text);
    assert.ok(match !== null, `no label: ${text.slice(at)}`);
    const [, name, value] = match;
    assert.ok(!(name in labels), `label ${name} is there twice`);
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => ESCAPES[escaped]);
  }
  return labels;
}

function checkFamily({ name, type, samples }: Family): void {
  const keys = samples.map((sample) => sample.name + JSON.stringify(Object.entries(sample.labels).sort()));
  assert.equal(new Set(keys).size, keys.length, `${name} has a sample twice`);
  assert.equal(name.endsWith("_total"), type === "counter", `${name} is a ${type}`);
  if (type === "gauge") return;
  for (const { value } of samples) assert.ok(value >= 0, `${name} is ${value}`);
  if (type === "counter") return;
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const [sum, count] = ["_sum", "_count"].map((end) => samples.find((sample) => sample.name === name + end));
  assert.ok(sum !== undefined && count !== undefined, `${name} lacks its sum or count`);
  const bounds = buckets.map(({ labels }) => Number(labels.le.replace("Inf", "Infinity")));
  buckets.forEach(({ value }, i) => {
    assert.ok(
      i === 0 || (bounds[i] > bounds[i - 1] && value >= buckets[i - 1].value),
      `${name}: ${bounds[i]}`,
    );
  });
  assert.deepEqual([bounds.at(-1), buckets.at(-1)!.value], [Infinity, count.value], name);
}
