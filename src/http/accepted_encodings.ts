/** Which encodings of an answer a client takes, by its header `Accept-Encoding`. */
import { parseAccept } from "hono/utils/accept";

/** Whether it takes gzip: named, or by `*`, and not with a weight of 0. */
export function takesGzip(header: string | null | undefined): boolean {
  if (!header) return false;
  let takesAny = false;
  for (const { type, q } of parseAccept(header)) {
    if (type.toLowerCase() === "gzip") return q > 0;
    if (type === "*") takesAny ||= q > 0;
  }
  return takesAny;
}
