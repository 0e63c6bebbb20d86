/**
 * The house rules about how files lie to one another: circles, tests beside what they test, sizes.
 *
 * Each rule returns its findings, one line each.
 */
import { posix } from "node:path";
import { relativeImports, type TextFile } from "./source_files.ts";

const MAX_SOURCE_LINES = 400;
const MAX_FOLDER_FILES = 16;
/** Files that are one table, whose length says nothing. */
const TABLES = new Set(["src/options/tables/nsqd_options.ts", "src/protocol/errors.ts"]);

const RULES: readonly ((files: readonly TextFile[]) => string[])[] = [
  checkCircles,
  checkMirror,
  checkLengths,
  checkFolders,
];

/** The findings of all rules. */
export function checkStructure(files: readonly TextFile[]): string[] {
  return RULES.flatMap((rule) => rule(files));
}

function isSource({ path }: TextFile): boolean {
  return /^(?:src\/.*|main)\.tsx?$/.test(path);
}

/** No file of `src/` imports itself, on whatever way; each circle is told once, from its first file on. */
export function checkCircles(files: readonly TextFile[]): string[] {
  const imports = new Map<string, string[]>();
  for (const file of files) {
    if (isSource(file)) imports.set(file.path, relativeImports(file).map(({ target }) => target));
  }
  return stronglyConnected(imports).filter((group) => group.length > 1).map((group) => {
    const members = new Set(group), [first] = group;
    const way = shortestCircle(first, imports, members);
    const others = group.length > way.length ? `, one circle of ${group.length} files` : "";
    return `${first}: imports itself: ${[...way, first].join(" -> ")}${others}`;
  });
}

/** Groups of files of which each reaches all others of its group (Tarjan's algorithm); each sorted. */
function stronglyConnected(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const groups: string[][] = [];
  const numbers = new Map<string, number>(), lowest = new Map<string, number>();
  const stack: string[] = [], onStack = new Set<string>();
  const visit = (file: string) => {
    numbers.set(file, numbers.size);
    lowest.set(file, numbers.get(file)!);
    stack.push(file);
    onStack.add(file);
    for (const target of imports.get(file) ?? []) {
      if (!imports.has(target)) continue;
      if (!numbers.has(target)) visit(target);
      if (onStack.has(target)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(target)!));
    }
    if (lowest.get(file) !== numbers.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    for (const member of group) onStack.delete(member);
    groups.push(group.sort());
  };
  for (const file of [...imports.keys()].sort()) if (!numbers.has(file)) visit(file);
  return groups;
}

/** The files from `start` on the shortest way back to it, within `members`. */
function shortestCircle(
  start: string,
  imports: ReadonlyMap<string, readonly string[]>,
  members: ReadonlySet<string>,
): string[] {
  const ways = [[start]], seen = new Set<string>();
  for (const way of ways) {
    for (const target of imports.get(way.at(-1)!) ?? []) {
      if (target === start) return way;
      if (!members.has(target) || seen.has(target)) continue;
      seen.add(target);
      ways.push([...way, target]);
    }
  }
  return [start];
}

/**
 * `src/a/b.ts` has `test/a/b_test.ts`, or a sentence in its module comment that names the files that test it:
 * `Tested in test/c/d_test.ts and test/e/f_test.ts.`
 */
export function checkMirror(files: readonly TextFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path));
  return files.filter((file) => isSource(file) && file.path.startsWith("src/")).flatMap(({ path, text }) => {
    const stem = path.replace(/^src\//, "test/").replace(/\.tsx?$/, "_test");
    const [comment = ""] = /^\s*(?:\/\*.*?\*\/|(?:\/\/[^\n]*\n)+)/s.exec(text) ?? [];
    const named = [...comment.matchAll(/\bTested in\s(.*?\.tsx?)\.(?:\s|$)/gs)].flatMap(([, sentence]) =>
      [...sentence.matchAll(/\btest\/[\w/]+\.tsx?/g)].map(([test]) => test)
    );
    const missing = named.filter((test) => !paths.has(test));
    if (missing.length > 0) {
      return missing.map((test) => `${path}: says it is tested in ${test}, which is not there`);
    }
    if (named.length > 0 || paths.has(`${stem}.ts`) || paths.has(`${stem}.tsx`)) return [];
    return [`${path}: has no test; write ${stem}.ts, or say "Tested in <file>." in its module comment`];
  });
}

export function checkLengths(files: readonly TextFile[]): string[] {
  return files.filter((file) => isSource(file) && !TABLES.has(file.path)).flatMap(({ path, text }) => {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    if (lines <= MAX_SOURCE_LINES) return [];
    return [`${path}: has ${lines} lines, max is ${MAX_SOURCE_LINES}; split the second concept out`];
  });
}

export function checkFolders(files: readonly TextFile[]): string[] {
  const counts = new Map<string, number>();
  for (const file of files) {
    if (!isSource(file)) continue;
    const folder = posix.dirname(file.path);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > MAX_FOLDER_FILES).map(([folder, count]) =>
    `${folder}: has ${count} files of its own, max is ${MAX_FOLDER_FILES}; find the rooms in it`
  );
}
