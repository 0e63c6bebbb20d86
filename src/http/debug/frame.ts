/** What a frame of V8 is called in a profile, and where in the source that was written it lies. */
import { findSourceMap } from "node:module";
import { fileURLToPath } from "node:url";

/** A frame as V8 reports it; line and column count from 0, in the source that runs, and are -1 when unknown. */
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** A frame as a profile shows it. */
export interface Frame {
  /** Such as `broker/channel.pump`: the end of the file's path, and the function. */
  readonly name: string;
  /** Path of the file, a name such as `ext:core/01_core.js`, or "" for what is built into the runtime. */
  readonly file: string;
  /** Where the function begins; from 1, 0 when unknown. */
  readonly line: number;
}

/** Beyond the end of any line: the runtime then finds what stands last on it. */
const LINE_END = 1 << 20;

export function frameOf({ functionName, url, lineNumber, columnNumber }: CallFrame): Frame {
  if (url === "") return { name: functionName === "" ? "(anonymous)" : functionName, file: "", line: 0 };
  const file = fileOf(url);
  const line = writtenLine(file, lineNumber, columnNumber);
  const name = functionName !== "" ? functionName : `(anonymous:${line})`;
  return { name: `${moduleOf(file)}.${name}`, file, line };
}

/** Where in the file of a frame a line of the source that runs was written; both count from 1. */
export function writtenLineOf(frame: Frame, runningLine: number): number {
  return writtenLine(frame.file, runningLine - 1, LINE_END);
}

function fileOf(url: string): string {
  return url.startsWith("file:") ? fileURLToPath(url) : url;
}

/** `broker/channel` for `.../src/broker/channel.ts`. */
function moduleOf(file: string): string {
  return file.split("/").slice(-2).join("/").replace(/\.[cm]?[jt]sx?$/, "");
}

/** Types are stripped, and lines joined, before the source runs; the runtime keeps a map of that. */
function writtenLine(file: string, lineNumber: number, columnNumber: number): number {
  if (lineNumber < 0) return 0;
  const map = file.startsWith("/") ? findSourceMap(file) : undefined;
  const entry = map?.findEntry(lineNumber, Math.max(columnNumber, 0));
  return (entry !== undefined && "originalLine" in entry ? entry.originalLine : lineNumber) + 1;
}
