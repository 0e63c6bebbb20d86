/** Styles, scripts and the icon: from this tree and from npm packages, as texts; nothing comes from elsewhere. */
import { takesGzip } from "../../http/accepted_encodings.ts";
import { gzipSync } from "node:zlib";
import type { Hono } from "hono";
import idiomorph from "idiomorph/dist/idiomorph.min.js" with { type: "text" };
import uplotStyle from "uplot/dist/uPlot.min.css" with { type: "text" };
import uplot from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import type { ConsoleEnv } from "../console.ts";
import base from "../static/base.css" with { type: "text" };
import charts from "../static/charts.css" with { type: "text" };
import chartsScript from "../static/charts.js" with { type: "text" };
import consoleScript from "../static/console.js" with { type: "text" };
import filtersScript from "../static/filters.js" with { type: "text" };
import formsScript from "../static/forms.js" with { type: "text" };
import formsStyle from "../static/forms.css" with { type: "text" };
import icon from "../static/icon.svg" with { type: "text" };
import keysScript from "../static/keys.js" with { type: "text" };
import layout from "../static/layout.css" with { type: "text" };
import liveScript from "../static/live.js" with { type: "text" };
import paletteScript from "../static/palette.js" with { type: "text" };
import tables from "../static/tables.css" with { type: "text" };
import timesScript from "../static/times.js" with { type: "text" };
import messagesStyle from "../static/messages.css" with { type: "text" };
import tailStyle from "../static/tail.css" with { type: "text" };
import tokens from "../static/tokens.css" with { type: "text" };

interface Asset {
  type: string;
  text: string;
}

const SCRIPT = "text/javascript; charset=utf-8";

/** By name, as in `/static/<name>`. */
export const assets: ReadonlyMap<string, Asset> = new Map([
  ["console.css", {
    type: "text/css; charset=utf-8",
    text: [tokens, base, layout, tables, formsStyle, tailStyle, messagesStyle, charts, uplotStyle].join("\n"),
  }],
  ["uplot.js", { type: SCRIPT, text: uplot }],
  ["idiomorph.js", { type: SCRIPT, text: idiomorph }],
  ["console.js", { type: SCRIPT, text: consoleScript }],
  ["charts.js", { type: SCRIPT, text: chartsScript }],
  ["filters.js", { type: SCRIPT, text: filtersScript }],
  ["forms.js", { type: SCRIPT, text: formsScript }],
  ["keys.js", { type: SCRIPT, text: keysScript }],
  ["live.js", { type: SCRIPT, text: liveScript }],
  ["palette.js", { type: SCRIPT, text: paletteScript }],
  ["times.js", { type: SCRIPT, text: timesScript }],
  ["icon.svg", { type: "image/svg+xml", text: icon }],
]);

export function mountAssets(app: Hono<ConsoleEnv>): void {
  const packed = new Map<string, { body: Uint8Array<ArrayBuffer>; tag: string }>();

  /** Compressed once, at the first request. */
  function pack(name: string, { text }: Asset): { body: Uint8Array<ArrayBuffer>; tag: string } {
    const known = packed.get(name);
    if (known !== undefined) return known;
    const body = new Uint8Array(gzipSync(text, { level: 9 }));
    let hash = 0;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
    const made = { body, tag: `"${hash.toString(36)}-${text.length}"` };
    packed.set(name, made);
    return made;
  }

  app.get("/static/:asset", (context) => {
    const name = context.req.param("asset");
    const asset = assets.get(name);
    if (asset === undefined) return context.text("NOT_FOUND", 404);
    const { body, tag } = pack(name, asset);
    // Checked each time: a new version of the console brings new scripts under the same names.
    const headers = {
      "content-type": asset.type,
      "cache-control": "no-cache",
      etag: tag,
      vary: "Accept-Encoding",
    };
    if (context.req.header("if-none-match") === tag) return context.body(null, 304, headers);
    if (!takesGzip(context.req.header("accept-encoding"))) {
      return context.body(asset.text, 200, headers);
    }
    return context.body(body, 200, { ...headers, "content-encoding": "gzip" });
  });
}
