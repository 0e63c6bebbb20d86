/**
 * A strip of large figures, each with its name; some lead further, some have their last ten minutes below.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Child } from "hono/jsx";
import type { HistoryMetric } from "../../console.ts";
import { href, type View } from "../view.ts";
import { Sparkline } from "./sparkline.tsx";

export interface Total {
  readonly label: string;
  readonly content: Child;
  /** Where it leads, and how the table there is to be sorted. */
  readonly to?: { readonly path: string; readonly sort?: string };
  /** Of everything. */
  readonly metric?: HistoryMetric;
  readonly isBad?: boolean;
}

export function Totals({ view, label, totals }: { view: View; label: string; totals: readonly Total[] }) {
  const isSmall = totals.every(({ to }) => to === undefined);
  return (
    <ul class={isSmall ? "totals small" : "totals"} aria-label={label}>
      {totals.map((total) => (
        <li class={total.isBad ? "bad" : undefined}>
          {total.to === undefined
            ? <Figure view={view} total={total} />
            : (
              <a href={href(view, total.to.path, { sort: total.to.sort ?? null })}>
                <Figure view={view} total={total} />
              </a>
            )}
        </li>
      ))}
    </ul>
  );
}

function Figure({ view, total: { label, content, metric } }: { view: View; total: Total }) {
  return (
    <>
      <span class="label">{label}</span>
      <b>{content}</b>
      {metric !== undefined &&
        <Sparkline console={view.console} nowMs={view.nowMs} historyKey="" metric={metric} />}
    </>
  );
}
