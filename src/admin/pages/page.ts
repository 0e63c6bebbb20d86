/**
 * What a page gives to be shown.
 *
 * Tested in test/admin/pages/tables_test.ts.
 */
import type { Child } from "hono/jsx";
import type { AnyTable } from "./components/data_table.tsx";

/** A page, made from a view. */
export interface Page {
  readonly title: string;
  /** The way to it, the page itself left out. */
  readonly trail?: readonly { readonly label: string; readonly path: string }[];
  readonly main: Child;
  /** Tables that can be exported, by name; the first is the one that `?format=csv` means. */
  readonly tables?: Readonly<Record<string, AnyTable>>;
  /** Charts can be zoomed to a range. */
  readonly hasCharts?: boolean;
  /** Pages with a form do not change while somebody fills it in. */
  readonly isStill?: boolean;
  /** 200 unless given. */
  readonly status?: 200 | 400 | 403 | 404;
}
