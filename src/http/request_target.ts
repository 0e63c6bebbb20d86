/**
 * The target of a request as its client sent it: path and query, not normalised.
 *
 * Tested in test/http/router_test.ts.
 */

/** Where the path begins in `http://host/...`, at the earliest; a Unix socket has `http+unix://host/...`. */
const HTTP_AUTHORITY = "http://".length;
const COLON = 0x3a;

/** The part of a request's `url` from the path on, such as `/pub?topic=orders`. */
export function targetOf(url: string): string {
  const authority = url.charCodeAt(4) === COLON ? HTTP_AUTHORITY : url.indexOf("://") + 3;
  const start = url.indexOf("/", authority);
  return start < 0 ? "/" : url.slice(start);
}

/**
 * The path of a target, with those escapes undone that are neither `?` or `#` nor the start of an escape:
 * parameters are cut out of it and undone once more. An escaped slash separates as a plain one does.
 */
export function pathOf(target: string): string {
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  if (!path.includes("%")) return path;
  try {
    return decodeURI(path.replaceAll("%25", "%2525").replaceAll(/%2f/gi, "/"));
  } catch {
    // A path with a bad escape is just one that nothing is found under.
    return path;
  }
}

/** The query of a target without its `?`; "" when there is none. */
export function queryOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? "" : target.slice(query + 1);
}
