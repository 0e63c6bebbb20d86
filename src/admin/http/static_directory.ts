/**
 * Serves the files of one directory, for who works on the pages: `--dev-static-dir`.
 *
 * Tested in test/admin/http/static_directory_test.ts.
 */
import type { Route } from "../../http/router.ts";

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  eot: "application/vnd.ms-fontobject",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  map: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  ttf: "application/font-sfnt",
  woff: "application/font-woff",
  woff2: "font/woff2",
};

export function staticRoutes(directory: string): Route[] {
  return ["/static/:asset", "/fonts/:asset"].map((path) => ({
    method: "GET",
    path,
    style: "plain",
    handle: (context) => readAsset(directory, context.parameter("asset")),
  }));
}

async function readAsset(directory: string, name: string): Promise<Response> {
  // One segment of a path, decoded: it must not lead elsewhere.
  const isName = !/[\\/\0]/.test(name) && name !== "." && name !== "..";
  const bytes = isName ? await Deno.readFile(`${directory}/${name}`).catch(() => null) : null;
  if (bytes === null) {
    return new Response("NOT_FOUND", {
      status: 404,
      headers: { "Content-Type": "text/plain; charset=utf-8" },
    });
  }
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1).toLowerCase()] ?? "application/octet-stream";
  return new Response(bytes, { headers: { "Content-Type": type, "Cache-Control": "no-store" } });
}
