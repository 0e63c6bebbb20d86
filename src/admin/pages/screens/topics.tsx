/**
 * All topics.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Page } from "../page.ts";
import type { View } from "../view.ts";
import { DataTable, exportable } from "../components/data_table.tsx";
import { topicSummary, topicTable } from "./topic_table.tsx";

export function topicsPage(view: View): Page {
  const table = topicTable(view, 50);
  return {
    title: "Topics",
    tables: { topics: exportable(table) },
    main: (
      <>
        <header class="page-head">
          <h1>Topics</h1>
          <p>{topicSummary(view.snapshot)}</p>
        </header>
        <DataTable table={table} view={view} />
      </>
    ),
  };
}
