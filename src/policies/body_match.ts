/**
 * What a body has to have to be listed: `contains:text`, `re:` and a regular expression of RE2, or `json:path=value`.
 *
 * Expressions of RE2 take time in proportion to the body, whoever wrote them.
 */
import { RE2JS } from "re2js";

/** Whether a body matches. */
export type BodyMatch = (body: Uint8Array) => boolean;

const decoder = new TextDecoder();

/** @throws {SyntaxError} that says what is wrong with `text` */
export function parseMatch(text: string): BodyMatch {
  const colon = text.indexOf(":"), kind = text.slice(0, colon), rest = text.slice(colon + 1);
  if (colon < 0 || rest === "") {
    throw new SyntaxError("match is contains:text, re:expression or json:path=value");
  }
  switch (kind) {
    case "contains":
      return containing(new TextEncoder().encode(rest));
    case "re":
      return matching(rest);
    case "json":
      return having(rest);
    default:
      throw new SyntaxError(`match of kind "${kind}": there are contains, re and json`);
  }
}

function containing(wanted: Uint8Array): BodyMatch {
  return (body) => {
    for (let at = body.indexOf(wanted[0]); at >= 0; at = body.indexOf(wanted[0], at + 1)) {
      if (at + wanted.length > body.length) return false;
      let length = 1;
      while (length < wanted.length && body[at + length] === wanted[length]) length++;
      if (length === wanted.length) return true;
    }
    return false;
  };
}

function matching(expression: string): BodyMatch {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(expression);
  } catch (cause) {
    throw new SyntaxError(`match re: ${(cause as Error).message}`, { cause });
  }
  return (body) => compiled.matcher(decoder.decode(body)).find();
}

function having(text: string): BodyMatch {
  const equals = text.indexOf("=");
  if (equals <= 0) throw new SyntaxError("match json: wants path=value, such as json:order.id=17");
  const path = text.slice(0, equals).split("."), wanted = text.slice(equals + 1);
  return (body) => {
    let value: unknown;
    try {
      value = JSON.parse(decoder.decode(body));
    } catch {
      return false; // What is no JSON has no such value.
    }
    for (const name of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return false;
      value = (value as Record<string, unknown>)[name];
    }
    return (typeof value === "object" ? JSON.stringify(value) : String(value)) === wanted;
  };
}
