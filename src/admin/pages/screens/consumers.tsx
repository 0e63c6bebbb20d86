/**
 * All connected consumers.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Page } from "../page.ts";
import type { View } from "../view.ts";
import { DataTable, exportable } from "../components/data_table.tsx";
import { clientTable } from "./client_table.tsx";

export function consumersPage(view: View): Page {
  const channels = [...view.snapshot.topics.values()].flatMap((topic) => [...topic.channels.values()]);
  const table = clientTable(view, channels.flatMap(({ clients }) => clients ?? []), false);
  return {
    title: "Consumers",
    tables: { consumers: exportable(table) },
    main: (
      <>
        <header class="page-head">
          <h1>Consumers</h1>
          <p>Those in trouble come first.</p>
        </header>
        <DataTable table={table} view={view} />
      </>
    ),
  };
}
