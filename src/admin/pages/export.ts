/**
 * Tables as files: CSV (RFC 4180) and JSON, of all rows that match, not only of those on the page.
 *
 * Tested in test/admin/pages/tables_test.ts.
 */
import type { AnyTable, CellValue } from "./components/data_table.tsx";

export function exportTable(table: AnyTable, query: URLSearchParams, format: "csv" | "json"): Response {
  const names = table.columns.map(({ name }) => name);
  const records = table.records(query);
  const body = format === "csv"
    ? [names, ...records].map((record) => record.map(csvCell).join(",") + "\r\n").join("")
    : JSON.stringify(
      records.map((record) => Object.fromEntries(names.map((name, i) => [name, record[i]]))),
      null,
      1,
    );
  return new Response(body, {
    headers: {
      "content-type": format === "csv"
        ? "text/csv; charset=utf-8; header=present"
        : "application/json; charset=utf-8",
      "content-disposition": `attachment; filename="${table.name}.${format}"`,
    },
  });
}

/** A text that a spreadsheet would run as a formula gets an apostrophe: clients choose their names themselves. */
function csvCell(value: CellValue): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
