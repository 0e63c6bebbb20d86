/** Finds where a config file names a key: the TOML parser tells lines only of what it cannot parse. */
import { parse } from "smol-toml";

/**
 * Returns the line, from 1, on which the valid document `text` first names `key` at its top, as `key =`, `key.x =`
 * or `[key]`; undefined when it spells it in some other way.
 */
export function findKeyLine(text: string, key: string): number | undefined {
  const spelled = key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const statement = new RegExp(`^\\s*(\\[\\[?)?\\s*["']?${spelled}["']?\\s*[=.\\]]`);
  const lines = text.split("\n");
  for (let index = 0; index < lines.length; index++) {
    const match = statement.exec(lines[index]);
    if (match === null) continue;
    const probe = match[1] === undefined ? `${JSON.stringify(key)} = 0` : `[${JSON.stringify(key)}]`;
    if (isAtTop([...lines.slice(0, index), probe].join("\n"), key)) return index + 1;
  }
  return undefined;
}

/** False when `document` ends inside a table or a text of several lines, which takes the key in. */
function isAtTop(document: string, key: string): boolean {
  try {
    return Object.hasOwn(parse(document), key);
  } catch {
    return false; // A line inside an unfinished value is no statement.
  }
}
