/**
 * The house rules as functions over the text files of the checkout; `tidy.ts` feeds them from disk.
 *
 * Each rule returns its findings, one line each: where, what, and what to do about it. The rules about how files
 * and folders lie to one another are in `structure_rules.ts`.
 */
import { type Import, lineAt, relativeImports, type TextFile } from "./source_files.ts";

export type { TextFile } from "./source_files.ts";

/** Folders and single files of `src/` by layer, the lowest first. A file imports its own layer and those below. */
const LAYERS: readonly (readonly string[])[] = [
  ["options", "clock", "log", "version", "buffers", "descriptors", "metrics", "net"],
  ["protocol", "api"],
  ["policies"],
  ["storage", "transport"],
  ["broker", "client", "http"],
  ["durability", "cluster"],
  ["nsqd", "lookupd", "admin", "tools", "packaging"],
  ["cli"],
];
const NAMELESS_FOLDERS = new Set(["util", "utils", "helper", "helpers", "common", "misc"]);
const SNAKE_CASE = /^[a-z0-9]+(_[a-z0-9]+)*(\.d)?\.[jt]sx?$/;

const UNFINISHED = /\b(?:TODO|FIXME|XXX|HACK|[Nn]ot implemented|[Ff]or now)\b/;
const REGISTRY_HOST = /\bregistry\.[a-z0-9-]+\.(?:org|com|io|net|dev)\b|\bjsr\.io\b|\bpkg\.dev\b/i;
const MACHINE_PATH = /(?<![\w.~$}-])\/(?:home|root|Users|work|workspace)\/[\w.]+/;

/** All findings about `files`, the whole checkout, sorted by path. `denoVersion` is the pinned one. */
export function checkHouseRules(files: readonly TextFile[], denoVersion: string): string[] {
  const sources = files.filter(({ path }) => path.startsWith("src/") || path === "main.ts");
  return [
    ...checkImports(files),
    ...sources.flatMap(checkUnfinished),
    ...sources.flatMap(checkModuleComment),
    ...files.flatMap(checkNames),
    ...files.flatMap(checkPlaces),
    ...files.flatMap((file) => checkReadme(file, denoVersion)),
    ...files.flatMap(checkLock),
  ].sort();
}

/** Imports of `src/` and `main.ts` point down the layers, and the folders of one layer form no cycle. */
export function checkImports(files: readonly TextFile[]): string[] {
  const findings: string[] = [];
  const sideways: Import[] = [];
  for (const file of files) {
    if (!/^(?:src\/.*|main)\.tsx?$/.test(file.path)) continue;
    for (const found of relativeImports(file)) {
      const problem = judgeImport(found, sideways);
      if (problem !== undefined) findings.push(`${show(found)}: ${problem}`);
    }
  }
  return [...findings, ...cycles(sideways)];
}

/** Says what is wrong with `found`, if anything; collects imports between folders of one layer. */
function judgeImport(found: Import, sideways: Import[]): string | undefined {
  const from = layerOf(found.file);
  const to = layerOf(found.target);
  if (from === undefined) return `this file is in no layer; give its folder one in house_rules.ts`;
  if (to === undefined || found.target === "main.ts") {
    return "only files of a layer may be imported";
  }
  if (to > from) return `${folderOf(found.file)} may not import ${folderOf(found.target)}, which is above it`;
  if (to === from && folderOf(found.file) !== folderOf(found.target)) sideways.push(found);
  return undefined;
}

/** Imports that lie on a cycle of folders, each with the way back. */
function cycles(sideways: readonly Import[]): string[] {
  return sideways.flatMap((found) => {
    const start = folderOf(found.file);
    const wayBack = pathBetween(folderOf(found.target), start, sideways);
    if (wayBack === undefined) return [];
    return [`${show(found)}: the folders form a cycle: ${[start, ...wayBack].join(" -> ")}`];
  });
}

/** The folders from `from` to `to` along `edges`, both included. */
function pathBetween(from: string, to: string, edges: readonly Import[]): string[] | undefined {
  const ways: string[][] = [[from]];
  const seen = new Set([from]);
  for (const way of ways) {
    const last = way[way.length - 1];
    if (last === to) return way;
    for (const edge of edges) {
      const next = folderOf(edge.target);
      if (folderOf(edge.file) !== last || seen.has(next)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  }
  return undefined;
}

/** The folder of `src/` that `path` is in; the name of a file directly in `src/`; else `path` itself. */
function folderOf(path: string): string {
  return /^src\/([^/]+?)(?:\.ts$|\/)/.exec(path)?.[1] ?? path;
}

function layerOf(path: string): number | undefined {
  if (path === "main.ts") return LAYERS.length;
  const layer = LAYERS.findIndex((folders) => folders.includes(folderOf(path)));
  return layer < 0 ? undefined : layer;
}

function show({ file, line, target }: Import): string {
  return `${file}:${line}: imports ${target}`;
}

function checkUnfinished(file: TextFile): string[] {
  return findLines(file, UNFINISHED, "finish the work instead of marking it");
}

function checkModuleComment({ path, text }: TextFile): string[] {
  if (!/^src\/.*\.tsx?$/.test(path) || /^\s*\/[*/]/.test(text)) return [];
  return [`${path}:1: starts without a comment that says what the module owns`];
}

function checkNames({ path }: TextFile): string[] {
  const folders = path.split("/");
  const name = folders.pop()!;
  const findings = folders
    .filter((folder) => NAMELESS_FOLDERS.has(folder.toLowerCase()))
    .map((folder) => `${path}: is in a folder named ${folder}; find the concept's name`);
  if (/\.[jt]sx?$/.test(name) && !SNAKE_CASE.test(name)) {
    findings.push(`${path}: is not named in snake_case`);
  }
  return findings;
}

function checkPlaces(file: TextFile): string[] {
  return [
    ...findLines(file, REGISTRY_HOST, "no registry is named in the project"),
    ...findLines(file, MACHINE_PATH, "a path of one machine does not belong in the project"),
  ];
}

function checkReadme({ path, text }: TextFile, denoVersion: string): string[] {
  if (path !== "README.md") return [];
  const mentions = [...text.matchAll(/\bdeno@([\w.+-]*\w)/g)];
  if (mentions.length === 0) return [`${path}: names no deno@${denoVersion}; users need the pinned version`];
  return mentions
    .filter(([, version]) => version !== denoVersion)
    .map((match) => `${path}:${lineAt(text, match.index)}: says ${match[0]}, but .dvmrc pins ${denoVersion}`);
}

function checkLock(file: TextFile): string[] {
  if (file.path !== "deno.lock") return [];
  return findLines(file, /https?:\/\//i, "the lock file names no host");
}

function findLines({ path, text }: TextFile, pattern: RegExp, advice: string): string[] {
  return text.split("\n").flatMap((line, index) => {
    const match = pattern.exec(line);
    return match === null ? [] : [`${path}:${index + 1}: contains "${match[0]}"; ${advice}`];
  });
}
