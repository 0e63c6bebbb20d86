/**
 * Time from publishing to FIN, where nodes measure it.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { LatencyView } from "../../model/snapshot.ts";
import { Count, Span } from "./values.tsx";

export function Latency({ latency }: { latency: LatencyView }) {
  if (latency.percentiles.length === 0) return null;
  return (
    <section class="block" aria-labelledby="latency-title">
      <header class="block-head">
        <h2 id="latency-title">From publishing to FIN</h2>
      </header>
      <dl class="facts">
        {latency.percentiles.map(({ quantile, ms }) => (
          <div>
            <dt>{quantile === 1 ? "maximum" : `p${Math.round(quantile * 10_000) / 100}`}</dt>
            <dd>
              <Span ms={ms} />
            </dd>
          </div>
        ))}
        <div>
          <dt>messages in the window</dt>
          <dd>
            <Count value={latency.count} />
          </dd>
        </div>
      </dl>
    </section>
  );
}
