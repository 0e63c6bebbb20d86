/** The text files of the checkout, and what they import. */
import { posix } from "node:path";

/** A text file of the checkout; `path` is relative to its top and has forward slashes. */
export interface TextFile {
  path: string;
  text: string;
}

export interface Import {
  file: string;
  line: number;
  /** The imported file, relative to the top of the checkout. */
  target: string;
}

/** The imports of files of the checkout, static and dynamic, of types too. */
export function relativeImports({ path, text }: TextFile): Import[] {
  const statement = /^[ \t]*(?:import|export)\b[^"';]*?\bfrom\s*["'](\.[^"']*)["']/gm;
  const sideEffect = /^[ \t]*import\s*["'](\.[^"']*)["']/gm;
  const dynamic = /\bimport\(\s*["'](\.[^"']*)["']/g;
  return [statement, sideEffect, dynamic].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({
      file: path,
      line: lineAt(text, match.index + match[0].length),
      target: posix.join(posix.dirname(path), match[1]),
    }))
  );
}

/** The number of the line, from 1 on, that holds `text[index]`. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
