/**
 * Reads the JSON bodies of the HTTP API, whatever type they are said to have, and says what is wrong with them in
 * the words that scripts know from Go nsqadmin. Tested in test/admin/http/api_test.ts.
 */
import { readBody, type RequestWithBody } from "../../http/body.ts";
import { HttpError } from "../../http/errors.ts";

/** Bodies hold two names at most. */
const MAX_BODY_BYTES = 64 << 10;
const UTF8 = new TextDecoder();

/**
 * Resolves with the members `names` of the JSON object in the body, "" for those it lacks.
 *
 * @throws {HttpError} 400 with what is wrong
 */
export async function readMembers<K extends string>(
  request: RequestWithBody,
  names: readonly K[],
): Promise<Record<K, string>> {
  const { bytes, isCut } = await readBody(request, MAX_BODY_BYTES);
  if (isCut) throw new HttpError(413, "BODY_TOO_BIG");
  return membersOf(UTF8.decode(bytes), names);
}

/** @throws {HttpError} 400 with what is wrong */
export function membersOf<K extends string>(text: string, names: readonly K[]): Record<K, string> {
  const json = parse(text);
  if (json !== null && (typeof json !== "object" || Array.isArray(json))) {
    throw invalid(`json: cannot unmarshal ${kindOf(json)} into Go value of type object`);
  }
  const members = Object.fromEntries(names.map((name) => [name, ""])) as Record<K, string>;
  for (const [key, value] of Object.entries(json ?? {})) {
    const name = names.find((each) => each.toLowerCase() === key.toLowerCase());
    if (name === undefined || value === null) continue;
    if (typeof value !== "string") {
      throw invalid(`json: cannot unmarshal ${kindOf(value)} into Go struct field .${name} of type string`);
    }
    members[name] = value;
  }
  return members;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(describe(text, cause as SyntaxError));
  }
}

function describe(text: string, cause: SyntaxError): string {
  const first = text.trimStart()[0];
  if (first === undefined) return "EOF";
  if (!/[[{"\-0-9tfn]/.test(first)) return `invalid character '${first}' looking for beginning of value`;
  if (/end of JSON|unterminated/i.test(cause.message)) return "unexpected EOF";
  return `invalid JSON: ${cause.message}`;
}

function kindOf(json: unknown): string {
  if (Array.isArray(json)) return "array";
  return typeof json === "boolean" ? "bool" : typeof json;
}

function invalid(text: string): HttpError {
  return new HttpError(400, text);
}
