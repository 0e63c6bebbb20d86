/**
 * The columns that tables of topics, channels and nodes share.
 *
 * Tested in test/ui/console_test.ts.
 */
import type { Figures } from "../../model/snapshot.ts";
import type { Column } from "./data_table.tsx";
import { Count, Rate, Span } from "./values.tsx";

type FigureColumns<Row> = Record<
  | "depth"
  | "disk"
  | "inFlight"
  | "deferred"
  | "in"
  | "out"
  | "requeued"
  | "timedOut"
  | "oldest"
  | "clients"
  | "messages",
  Column<Row>
>;

/** @param of where a row keeps its figures */
export function figureColumns<Row>(of: (row: Row) => Figures): FigureColumns<Row> {
  const count = (
    name: string,
    label: string,
    help: string,
    value: (figures: Figures) => number,
  ): Column<Row> => ({
    name,
    label,
    help,
    isNumber: true,
    value: (row) => value(of(row)),
    cell: (row) => <Count value={value(of(row))} />,
  });
  const rate = (
    name: string,
    label: string,
    help: string,
    value: (figures: Figures) => number,
  ): Column<Row> => ({
    ...count(name, label, help, value),
    value: (row) => Math.round(value(of(row)) * 100) / 100,
    cell: (row) => <Rate value={value(of(row))} />,
  });
  return {
    depth: count("depth", "Waiting", "Messages that wait for a consumer", ({ depth }) => depth),
    disk: count("disk", "On disk", "Of those waiting, on disk only", ({ backendDepth }) => backendDepth),
    inFlight: count(
      "in_flight",
      "In flight",
      "Handed to a consumer and not answered yet",
      ({ inFlight }) => inFlight,
    ),
    deferred: count("deferred", "Deferred", "Held back until they are due", ({ deferred }) => deferred),
    in: rate("in", "In/s", "Messages that came in, a second", ({ inPerSecond }) => inPerSecond),
    out: rate(
      "out",
      "Out/s",
      "Messages that consumers finished, a second",
      ({ outPerSecond }) => outPerSecond,
    ),
    requeued: rate(
      "requeued",
      "Requeued/min",
      "Given back by consumers, a minute",
      (f) => f.requeuesPerMinute,
    ),
    timedOut: rate(
      "timed_out",
      "Timed out/min",
      "Not answered in time, a minute",
      (f) => f.timeoutsPerMinute,
    ),
    oldest: {
      name: "oldest_ms",
      label: "Oldest",
      help: "Age of the oldest waiting message",
      isNumber: true,
      value: (row) => of(row).oldestAgeMs,
      cell: (row) => <Span ms={of(row).oldestAgeMs} />,
    },
    clients: count("consumers", "Consumers", "Connected consumers", ({ clientCount }) => clientCount),
    messages: count(
      "messages",
      "Messages",
      "All that came in since the nodes started",
      (f) => f.messageCount,
    ),
  };
}
