/**
 * Tables: sorted, filtered and cut into pages on the server, all of it in the address; exported as CSV or JSON.
 *
 * The first table of a page has the parameters `q`, `sort` and `page`; those of another begin with its name and a dot.
 * Tested in test/admin/pages/tables_test.ts.
 */
import type { Child } from "hono/jsx";
import { type Filter, parseFilter } from "../filter.ts";
import { formatCount } from "../format.ts";
import { hrefWith, type View } from "../view.ts";
import { Icon } from "./icons.tsx";

export type CellValue = string | number | null;

export interface Column<Row> {
  /** In addresses, filters and exports; the first column of a table is the name of the row. */
  readonly name: string;
  readonly label: string;
  /** A sentence on what the column means. */
  readonly help?: string;
  readonly isNumber?: boolean;
  /** Words of the filter are looked for in it too; they always are in the first column. */
  readonly isSearched?: boolean;
  /** Has buttons: nothing to sort, filter or export by. */
  readonly isAction?: boolean;
  /** Can be filtered and exported, and is not shown. */
  readonly isHidden?: boolean;
  /** What it is sorted, filtered and exported by. */
  value(row: Row): CellValue;
  /** What is shown, when that is not the value. */
  cell?(row: Row): Child;
}

export interface Table<Row> {
  readonly name: string;
  readonly title: string;
  /** The first table of the page has the short parameters. */
  readonly isFirst: boolean;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** Name of a column, with `-` before it for falling. */
  readonly sort: string;
  /** Rows of a page. */
  readonly size?: number;
  /** Marks a row as stale or in trouble. */
  rowClass?(row: Row): string;
  /** What stands there instead of no rows. */
  readonly empty: Child;
  /** Buttons beside the filter. */
  readonly tools?: Child;
  readonly hasFilter?: boolean;
}

/** A table of any rows: what an export needs. */
export interface AnyTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string }[];
  /** All rows that match, sorted as asked for. */
  records(query: URLSearchParams): CellValue[][];
}

interface Selection<Row> {
  rows: Row[];
  filter: Filter;
  text: string;
  sort: Column<Row>;
  isFalling: boolean;
}

export function exportable<Row>(table: Table<Row>): AnyTable {
  return {
    name: table.name,
    columns: figuresOf(table),
    records: (query) =>
      select(table, query).rows.map((row) => figuresOf(table).map((column) => column.value(row))),
  };
}

/** The columns that have a value. */
function figuresOf<Row>({ columns }: Table<Row>): Column<Row>[] {
  return columns.filter(({ isAction }) => !isAction);
}

function parameterName(
  { isFirst, name }: Pick<Table<unknown>, "isFirst" | "name">,
  parameter: string,
): string {
  return isFirst ? parameter : `${name}.${parameter}`;
}

/** The rows that match, sorted. */
function select<Row>(table: Table<Row>, query: URLSearchParams): Selection<Row> {
  const columns = figuresOf(table);
  const text = query.get(parameterName(table, "q")) ?? "";
  const filter = parseFilter(text, columns.map(({ name }) => name));
  const asked = query.get(parameterName(table, "sort")) ?? table.sort;
  const sort = columns.find(({ name }) => name === asked.replace(/^-/, "")) ?? columns[0];
  const isFalling = asked.startsWith("-");
  const searched = columns.filter(({ isSearched }, index) => isSearched || index === 0);
  const rows = text === "" ? [...table.rows] : table.rows.filter((row) =>
    filter.matches(
      searched.map((column) => column.value(row)).join(" "),
      (name) => columns.find((column) => column.name === name)?.value(row),
    )
  );
  const keyed = rows.map((row) => ({ row, key: sort.value(row), name: String(columns[0].value(row)) }));
  keyed.sort((a, b) => (isFalling ? -1 : 1) * compare(a.key, b.key) || compare(a.name, b.name));
  return { rows: keyed.map(({ row }) => row), filter, text, sort, isFalling };
}

/** Null is below everything. */
function compare(a: CellValue, b: CellValue): number {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  return a < b ? -1 : 1;
}

export function DataTable<Row>({ table, view }: { table: Table<Row>; view: View }) {
  const selection = select(table, view.query);
  const size = table.size ?? 50;
  const pageCount = Math.max(1, Math.ceil(selection.rows.length / size));
  const asked = Number(view.query.get(parameterName(table, "page")) ?? 1);
  const page = Math.min(pageCount, Math.max(1, Number.isInteger(asked) ? asked : 1));
  const shown = selection.rows.slice((page - 1) * size, page * size);
  const shownColumns = table.columns.filter(({ isHidden }) => !isHidden);
  const titleId = `${table.name}-title`;
  return (
    <section class="block" id={table.name} aria-labelledby={titleId}>
      <header class="block-head">
        <h2 id={titleId}>
          {table.title} <span class="count">{amount(selection.rows.length, table.rows.length)}</span>
        </h2>
        {table.hasFilter && (table.rows.length > 1 || selection.text !== "") &&
          <FilterBox table={table} view={view} text={selection.text} />}
        <div class="tools">
          {table.tools}
          {table.rows.length > 0 && <ExportLinks table={table} view={view} />}
        </div>
      </header>
      {selection.filter.problems.map((problem) => <p class="problem" role="status">{problem}</p>)}
      {shown.length === 0
        ? (
          <div class="empty">
            {table.rows.length === 0
              ? table.empty
              : <NoMatch table={table} view={view} text={selection.text} />}
          </div>
        )
        : (
          <div class="scroll" tabindex={0} role="group" aria-labelledby={titleId}>
            <table class="data">
              <thead>
                <tr>
                  {shownColumns.map((column) => (
                    <HeadCell table={table} view={view} column={column} selection={selection} />
                  ))}
                </tr>
              </thead>
              <tbody>
                {shown.map((row) => (
                  <tr data-row="" class={table.rowClass?.(row) || undefined}>
                    {shownColumns.map((column, index) => (
                      <BodyCell
                        column={column}
                        row={row}
                        index={index}
                      />
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      {pageCount > 1 && (
        <Pager
          table={table}
          view={view}
          page={page}
          pageCount={pageCount}
          size={size}
          total={selection.rows.length}
        />
      )}
    </section>
  );
}

function amount(matching: number, all: number): string {
  return matching === all ? formatCount(all) : `${formatCount(matching)} of ${formatCount(all)}`;
}

interface Part<Row> {
  table: Table<Row>;
  view: View;
}

function HeadCell<Row>(
  { table, view, column, selection }: Part<Row> & { column: Column<Row>; selection: Selection<Row> },
) {
  if (column.isAction) return <th scope="col" title={column.help}>{column.label}</th>;
  const isSorted = selection.sort.name === column.name;
  // Figures are asked for the largest first, names from A to Z.
  const falls = isSorted ? !selection.isFalling : column.isNumber === true;
  const address = hrefWith(view, {
    [parameterName(table, "sort")]: (falls ? "-" : "") + column.name,
    [parameterName(table, "page")]: null,
  });
  return (
    <th
      scope="col"
      class={column.isNumber ? "number" : undefined}
      title={column.help}
      aria-sort={isSorted ? (selection.isFalling ? "descending" : "ascending") : undefined}
    >
      <a href={address}>{column.label}</a>
    </th>
  );
}

function BodyCell<Row>({ column, row, index }: { column: Column<Row>; row: Row; index: number }) {
  const content = column.cell?.(row) ?? String(column.value(row) ?? "–");
  if (index === 0) return <th scope="row">{content}</th>;
  return <td class={column.isNumber ? "number" : undefined} data-label={column.label}>{content}</td>;
}

function FilterBox<Row>({ table, view, text }: Part<Row> & { text: string }) {
  const name = parameterName(table, "q");
  const dropped = [name, parameterName(table, "page"), "format", "table", "structure", "done"];
  const kept = [...view.query].filter(([key]) => !dropped.includes(key));
  const figure = table.columns.find(({ isNumber }) => isNumber)?.name;
  return (
    <form class="filter" method="get" role="search" aria-label={`Filter of ${table.title}`} data-filter="">
      {kept.map(([key, value]) => <input type="hidden" name={key} value={value} />)}
      <Icon name="search" />
      <input
        type="search"
        name={name}
        value={text}
        placeholder={figure === undefined ? "Filter" : `Filter: name, or ${figure}:>100`}
        aria-label={`Filter ${table.title}`}
        list={`${table.name}-columns`}
        autocomplete="off"
      />
      <datalist id={`${table.name}-columns`}>
        {figuresOf(table).map((column) => <option value={`${column.name}:${column.isNumber ? ">" : ""}`} />)}
      </datalist>
      <noscript>
        <button type="submit">Filter</button>
      </noscript>
    </form>
  );
}

function NoMatch<Row>({ table, view, text }: Part<Row> & { text: string }) {
  return (
    <p>
      Nothing matches <q>{text}</q>.{" "}
      <a href={hrefWith(view, { [parameterName(table, "q")]: null })}>Show all</a>
    </p>
  );
}

function ExportLinks<Row>({ table, view }: Part<Row>) {
  return (
    <span class="export">
      <Icon name="download" />
      <a href={hrefWith(view, { format: "csv", table: table.name })} aria-label={`${table.title} as CSV`}>
        CSV
      </a>
      <a href={hrefWith(view, { format: "json", table: table.name })} aria-label={`${table.title} as JSON`}>
        JSON
      </a>
    </span>
  );
}

function Pager<Row>(
  { table, view, page, pageCount, size, total }: Part<Row> & {
    page: number;
    pageCount: number;
    size: number;
    total: number;
  },
) {
  const to = (target: number) =>
    hrefWith(view, { [parameterName(table, "page")]: target === 1 ? null : target });
  return (
    <nav class="pager" aria-label={`Pages of ${table.title}`}>
      {page > 1 && <a class="button" rel="prev" href={to(page - 1)}>Previous</a>}
      <span>
        {formatCount((page - 1) * size + 1)}–{formatCount(Math.min(total, page * size))} of{" "}
        {formatCount(total)}
      </span>
      {page < pageCount && <a class="button" rel="next" href={to(page + 1)}>Next</a>}
    </nav>
  );
}
