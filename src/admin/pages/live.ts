/**
 * Live pages: one address serves a page and, to an EventSource, the stream of its changes.
 *
 * What changes from second to second stands between two markers in the rendered page. The stream renders the page
 * again at each tick and splits it at the markers: as long as the parts between are the same, only values that
 * changed go out, by position (event `n`); else the new content of `main` does (event `h`), which the browser
 * merges. So a page is written once, and is live without code of its own.
 *
 * In the browser the value with position i belongs to the i-th element of `main` with the attribute `data-n`.
 * The attribute says where it goes: "" into the text, `t` is a moment, `p` a point of the chart around it, any other
 * name is that attribute.
 */
import { formatMoment, formatUtc, type TimeStyle } from "./format.ts";

// What a client calls itself is shown too: nobody outside can guess the markers of this process.
const secret = crypto.randomUUID().slice(0, 8);
const OPEN = `\u0001${secret}`;
const CLOSE = `\u0002${secret}`;
const MARKED = new RegExp(`${OPEN}([^\u0002]*)${CLOSE}`, "g");
const OPEN_STILL = `\u0003${secret}`;
const CLOSE_STILL = `\u0004${secret}`;
const STILL = new RegExp(`${OPEN_STILL}[^\u0004]*${CLOSE_STILL}`, "g");
const STILL_MARKERS = new RegExp(`[\u0003\u0004]${secret}`, "g");
const MOMENT = "moment:";

/** Marks `text` as a live value; its special characters have to be written by number, such as `&#60;`. */
export function mark(text: string): string {
  return OPEN + text + CLOSE;
}

/** A whole `time` element as one live value. */
export function markMoment(ms: number): string {
  return mark(MOMENT + Math.round(ms));
}

/** Marks HTML that is written once, with the page, and is no part of the stream: what a script draws anew there. */
export function markStill(html: string): string {
  return OPEN_STILL + html + CLOSE_STILL;
}

/** A rendered page apart: `fixed` has one part more than `values`. */
export interface SplitPage {
  fixed: string[];
  values: string[];
}

export function splitPage(html: string): SplitPage {
  const parts = html.replace(STILL, "").split(MARKED);
  return {
    fixed: parts.filter((_, index) => index % 2 === 0),
    values: parts.filter((_, index) => index % 2 === 1).map((value) =>
      value.startsWith(MOMENT) ? value.slice(MOMENT.length) : unescape(value)
    ),
  };
}

/** The page as a browser shows it, markers resolved. */
export function finishPage(html: string, nowMs: number, style: TimeStyle): string {
  return html.replace(STILL_MARKERS, "").replace(
    MARKED,
    (_, value: string) =>
      value.startsWith(MOMENT) ? timeElement(Number(value.slice(MOMENT.length)), nowMs, style) : value,
  );
}

function timeElement(ms: number, nowMs: number, style: TimeStyle): string {
  const iso = new Date(ms).toISOString();
  const text = formatMoment(ms, nowMs, style);
  return `<time data-n="t" data-ms="${ms}" datetime="${iso}" title="${formatUtc(ms)}">${text}</time>`;
}

/** A short name for what a page has besides its live values; equal names mean that only values differ. */
export function structureOf({ fixed }: SplitPage): string {
  let hash = 0x811c9dc5;
  for (const part of fixed) {
    for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ part.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ 0x1f, 0x01000193);
  }
  return (hash >>> 0).toString(36);
}

/** Values go into text and attributes by script, which wants them as they are. */
function unescape(value: string): string {
  return value.replace(
    /&#(\d+);/g,
    (_, code: string) => String.fromCharCode(Number(code)),
  );
}

/** What `streamPage` wants of a page. */
export interface LivePage {
  /** Renders the content of `main`, with markers, from figures that are at most a second old. */
  render(): Promise<string>;
  /** Resolves markers, as the page itself does it. */
  finish(html: string): string;
  intervalMs: number;
  /** Ends the stream when it fires. */
  stopping: AbortSignal;
  /** What the browser has already, by `structureOf`; "" when unknown. */
  structure: string;
}

/** Streams end after this time, so that a browser shows its session again. */
const STREAM_LIFETIME_MS = 10 * 60_000;
/** Rows that change places each second would be merged each second: nobody reads that fast. */
const MIN_STRUCTURE_INTERVAL_MS = 2_000;

/** An event stream that ends with the connection, with the console, or after ten minutes. */
export function streamPage(page: LivePage): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const endsAtMs = Date.now() + STREAM_LIFETIME_MS;
  const events = new PageEvents(page);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isEnded = false;
  let end = () => {};

  function forget(): void {
    isEnded = true;
    clearTimeout(timer);
    page.stopping.removeEventListener("abort", end);
  }

  async function tick(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      // A browser that does not read is not sent more.
      if ((controller.desiredSize ?? 0) > -4) {
        const html = await page.render();
        if (isEnded) return;
        controller.enqueue(encoder.encode(events.next(html)));
      }
    } catch (cause) {
      if (isEnded) return;
      forget();
      controller.error(cause);
      return;
    }
    if (Date.now() > endsAtMs) end();
    else timer = setTimeout(() => tick(controller), page.intervalMs);
  }

  return new ReadableStream({
    async start(controller) {
      end = () => {
        if (isEnded) return;
        forget();
        controller.close();
      };
      page.stopping.addEventListener("abort", end);
      controller.enqueue(encoder.encode("retry: 2000\n\n"));
      await tick(controller);
    },
    cancel: forget,
  });
}

/** What one browser is told of a page, render by render. */
class PageEvents {
  readonly #finish: (html: string) => string;
  #structure: string;
  #structureSentMs = 0;
  #values: string[] | null = null;

  constructor({ finish, structure }: LivePage) {
    this.#finish = finish;
    this.#structure = structure;
  }

  /** The event that makes the page what `html` is. */
  next(html: string): string {
    const split = splitPage(html);
    const structure = structureOf(split);
    return structure === this.#structure ? this.#changes(split) : this.#anew(html, split, structure);
  }

  #anew(html: string, { values }: SplitPage, structure: string): string {
    const nowMs = Date.now();
    if (nowMs - this.#structureSentMs < MIN_STRUCTURE_INTERVAL_MS) return ": soon\n\n";
    this.#structureSentMs = nowMs;
    this.#structure = structure;
    this.#values = values;
    return `event: h\ndata: ${JSON.stringify({ structure, html: this.#finish(html) })}\n\n`;
  }

  #changes({ values }: SplitPage): string {
    const before = this.#values;
    this.#values = values;
    const changed = values.flatMap((value, index) => before?.[index] === value ? [] : [[index, value]]);
    return `event: n\ndata: ${JSON.stringify(Object.fromEntries(changed))}\n\n`;
  }
}
