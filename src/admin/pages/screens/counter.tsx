/**
 * One large number: the messages that all channels have received since their nodes started.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Page } from "../page.ts";
import type { View } from "../view.ts";
import { Charts } from "../components/chart.tsx";
import { Live, Rate } from "../components/values.tsx";

const grouped = new Intl.NumberFormat("en-US");

export function counterPage(view: View): Page {
  let messageCount = 0;
  for (const { channels } of view.snapshot.topics.values()) {
    for (const { figures } of channels.values()) messageCount += figures.messageCount;
  }
  return {
    title: "Counter",
    hasCharts: true,
    main: (
      <>
        <h1 class="unseen">Counter</h1>
        <p class="counter">
          <b>
            <Live text={grouped.format(messageCount)} />
          </b>
          <span>
            messages processed, <Rate value={view.snapshot.totals.outPerSecond} /> a second
          </span>
        </p>
        <Charts view={view} historyKey="" names={["throughput"]} />
      </>
    ),
  };
}
