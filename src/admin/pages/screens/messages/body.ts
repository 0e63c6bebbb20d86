/** How a body reads: as text, as JSON with indents, or in hexadecimal. Tested in test/admin/pages/screens/messages/body_test.ts. */

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const HEX_ROW = 16;

/** The beginning of a body as text when it is one, else its bytes in hexadecimal. `isCut` when more of it follows. */
export function textOrHex(body: Uint8Array, isCut: boolean): string {
  return textOf(body, isCut) ?? [...body].map(hex).join(" ");
}

/** Null for what is no text; a character that was cut at the end is left out. */
export function textOf(body: Uint8Array, isCut: boolean): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body, { stream: isCut });
  } catch {
    return null;
  }
}

/** JSON with indents; null for what is none. Numbers stay as they were written. */
export function indentJson(body: Uint8Array): string | null {
  let text: string;
  try {
    text = decoder.decode(body);
    const value = JSON.parse(text);
    if (typeof value !== "object" || value === null) return null;
  } catch {
    return null;
  }
  return reindent(text);
}

/** Only white space outside of strings changes: a number may have more digits than a double. */
function reindent(text: string): string {
  let out = "", depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{]\s*[\]}]|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    if (token === "{" || token === "[") out += token + line(++depth);
    else if (token === "}" || token === "]") out += line(--depth) + token;
    else if (token === ",") out += "," + line(depth);
    else if (token === ":") out += ": ";
    else out += /^[[{]/.test(token) ? token.replace(/\s/g, "") : token;
  }
  return out;
}

function line(depth: number): string {
  return "\n" + "  ".repeat(depth);
}

/** Offset, sixteen bytes, and what of them is ASCII, a row under the other. */
export function hexDump(body: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < body.length; at += HEX_ROW) {
    const row = [...body.subarray(at, at + HEX_ROW)];
    const ascii = row.map((byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
    const bytes = row.map(hex).join(" ").padEnd(HEX_ROW * 3 - 1);
    rows.push(`${at.toString(16).padStart(6, "0")}  ${bytes}  ${ascii}`);
  }
  return rows.join("\n");
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
