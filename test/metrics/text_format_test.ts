import assert from "node:assert/strict";
import { Histogram } from "../../src/metrics/histogram.ts";
import { labelsText, MetricsWriter } from "../../src/metrics/text_format.ts";
import { parseMetrics } from "../support/metrics_text.ts";

Deno.test("MetricsWriter writes heads, samples and histograms", () => {
  const to = new MetricsWriter("x_");
  to.gauge("depth", "How deep", 1.5);
  to.counter("messages_total", "How many", 3);
  const histogram = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.add(value);
  to.histogram("wait_seconds", "How long", histogram);
  const text = to.take();
  assert.equal(
    text,
    `# HELP x_depth How deep
# TYPE x_depth gauge
x_depth 1.5
# HELP x_messages_total How many
# TYPE x_messages_total counter
x_messages_total 3
# HELP x_wait_seconds How long
# TYPE x_wait_seconds histogram
x_wait_seconds_bucket{le="0.1"} 2
x_wait_seconds_bucket{le="1"} 3
x_wait_seconds_bucket{le="+Inf"} 4
x_wait_seconds_sum 7.65
x_wait_seconds_count 4
`,
  );
  assert.deepEqual([...parseMetrics(text).keys()], ["x_depth", "x_messages_total", "x_wait_seconds"]);
  assert.equal(to.take(), "");
});

Deno.test("labelsText() escapes quotes, backslashes and line ends, so that values come back", () => {
  assert.equal(labelsText({}), "");
  const labels = { a: `C:\\tmp "x"\nnext`, b: '}, c="d', c: "é\t" };
  const to = new MetricsWriter("");
  to.gauge("g", "h", 0, labelsText(labels));
  assert.deepEqual(parseMetrics(to.take()).get("g")!.samples[0].labels, labels);
});

Deno.test("Histogram.add() counts a bound in its bucket, and keeps sum and highest", () => {
  const histogram = new Histogram([1, 2]);
  for (const value of [1, 1.5, 2, 2.5]) histogram.add(value);
  assert.deepEqual([...histogram.counts], [1, 2, 1]);
  assert.deepEqual([histogram.sum, histogram.max], [7, 2.5]);
});
