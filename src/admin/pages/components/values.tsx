/**
 * Live values: figures, moments and spans that change while a page is looked at, and the words beside them.
 *
 * Tested in test/admin/pages/values_test.tsx.
 */
import { raw } from "hono/html";
import type { Severity } from "../../model/snapshot.ts";
import { formatBytes, formatCount, formatRate, formatSpan } from "../format.ts";
import { mark, markMoment } from "../live.ts";
import { Icon, type IconName } from "./icons.tsx";

/** A text that changes while it is looked at. */
export function Live({ text }: { text: string }) {
  return <span data-n="">{raw(mark(escape(text)))}</span>;
}

export function Count({ value }: { value: number }) {
  return <Live text={formatCount(value)} />;
}

export function Rate({ value }: { value: number }) {
  return <Live text={formatRate(value)} />;
}

/** A span in ms; a dash for what nobody knows. */
export function Span({ ms }: { ms: number | null }) {
  return <Live text={ms === null ? "–" : formatSpan(ms)} />;
}

export function Bytes({ value }: { value: number | null }) {
  return <Live text={value === null ? "–" : formatBytes(value)} />;
}

/** A moment in Unix ms. */
export function Moment({ ms }: { ms: number }) {
  return <>{raw(markMoment(ms))}</>;
}

/** Control characters too, lest what a client calls itself ends a marker. */
function escape(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[&<>"\u0000-\u001f]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const severityIcons: Readonly<Record<Severity, IconName>> = {
  ok: "check",
  notice: "info",
  warning: "alert",
  critical: "alert",
};

/** An icon with its word for those who do not see it. */
export function SeverityMark({ severity }: { severity: Severity }) {
  return (
    <span class={`severity ${severity}`}>
      <Icon name={severityIcons[severity]} />
      <span class="unseen">{severity}</span>
    </span>
  );
}

export function Badge({ text, kind = "" }: { text: string; kind?: "" | Severity }) {
  return <span class={`badge ${kind}`}>{text}</span>;
}
