/**
 * The members of a JSON object as they stand in its text: duplicates, the spelling of numbers, and the order are
 * all there, which `JSON.parse()` alone loses. It checks the syntax first.
 *
 * Tested in test/protocol/identify_test.ts.
 */
import { decodeText } from "./quote.ts";

/** JSON of more nested objects and arrays than this is refused; specified by nsqd. */
const MAX_NESTING = 10_000;

/**
 * Key and source of the value of each member of the object in `body`, duplicates included and in order; none for
 * `null`.
 *
 * @throws {SyntaxError} when it is no JSON, nests deeper than 10,000, or is neither an object nor `null`
 */
export function jsonMembers(body: Uint8Array): Iterable<[key: string, source: string]> {
  const text = decodeUtf8(body);
  // Checked first, so that no parser meets more depth than it can bear.
  if (!isNestingBounded(text)) throw new SyntaxError(`the JSON nests deeper than ${MAX_NESTING}`);
  JSON.parse(text);
  if (text.trim() === "null") return [];
  return [...members(text)];
}

/** Half of a surrogate pair, which only an escape can bring in, becomes U+FFFD. */
export function parseJsonString(source: string): string {
  return (JSON.parse(source) as string).toWellFormed();
}

function decodeUtf8(body: Uint8Array): string {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    return decoder.decode(body);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return decodeText(body);
  }
}

function isNestingBounded(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') {
      i = endOfString(text, i) - 1;
    } else if (character === "{" || character === "[") {
      if (++depth > MAX_NESTING) return false;
    } else if (character === "}" || character === "]") {
      depth--;
    }
  }
  return true;
}

function* members(text: string): Generator<[key: string, source: string]> {
  let at = skipSpace(text, 0);
  if (text[at] !== "{") throw new SyntaxError("the JSON is no object");
  at = skipSpace(text, at + 1);
  while (text[at] !== "}") {
    const keyEnd = endOfString(text, at);
    const key = parseJsonString(text.slice(at, keyEnd));
    const colon = skipSpace(text, keyEnd);
    const start = skipSpace(text, colon + 1);
    const end = endOfValue(text, start);
    yield [key, text.slice(start, end)];
    at = skipSpace(text, end);
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
}

function skipSpace(text: string, at: number): number {
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at++;
  return at;
}

/** Returns the offset behind the string that opens at `at`, or behind the text when it never ends. */
function endOfString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

/** Returns the offset behind the value that starts at `at`, without white space. */
function endOfValue(text: string, at: number): number {
  if (text[at] === '"') return endOfString(text, at);
  if (text[at] !== "{" && text[at] !== "[") {
    while (!" \n\r\t,}".includes(text[at])) at++;
    return at;
  }
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const character = text[i];
    if (character === '"') i = endOfString(text, i) - 1;
    else if (character === "{" || character === "[") depth++;
    else if ((character === "}" || character === "]") && --depth === 0) return i + 1;
  }
  return text.length;
}
