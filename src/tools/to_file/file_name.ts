/**
 * The names of the files of one topic: the format with its tokens filled in, but for the date and the revision,
 * which change while the program runs.
 */
import { ToolError } from "../tool.ts";
import { datePattern, escapePattern, formatDate } from "./strftime.ts";

/** What the name of a file is made of. */
export interface NameSettings {
  topic: string;
  filenameFormat: string;
  datetimeFormat: string;
  /** May hold `<SHORT_HOST>` and `<HOSTNAME>`; empty is the short hostname. */
  hostIdentifier: string;
  hostname: string;
  pid: number;
  isGzip: boolean;
  /** Whether files may have to be kept apart by number. */
  needsRevision: boolean;
}

const REVISION_DIGITS = 6;
const TOKENS = /<(?:TOPIC|HOST|PID|DATETIME|REV)>/;

export class FileName {
  /** With `<DATETIME>` and perhaps `<REV>` left. */
  readonly #format: string;
  readonly #datetimeFormat: string;
  /** Matches each name that any process could give a file of this topic; its group `revision` is `-000000`. */
  readonly pattern: RegExp;

  /** @throws {ToolError} when the format has no `<REV>` and needs one */
  constructor(settings: NameSettings) {
    const { filenameFormat, needsRevision, isGzip } = settings;
    if (needsRevision && !filenameFormat.includes("<REV>")) {
      throw new ToolError("missing <REV> in --filename-format when gzip, rotation, or work dir enabled");
    }
    let format = needsRevision ? filenameFormat : filenameFormat.replaceAll("<REV>", "");
    if (isGzip && !format.endsWith(".gz")) format += ".gz";
    const host = hostOf(settings);
    const fixed: Record<string, string> = { "<TOPIC>": settings.topic, "<HOST>": host };
    this.#datetimeFormat = settings.datetimeFormat;
    this.pattern = patternOf(format, { ...fixed, datetimeFormat: settings.datetimeFormat });
    this.#format = format
      .replaceAll("<TOPIC>", () => settings.topic)
      .replaceAll("<HOST>", () => host)
      .replaceAll("<PID>", String(settings.pid));
  }

  /** The name at a time, its revision still a token. Two times with one answer share their files. */
  at(date: Date): string {
    return this.#format.replaceAll("<DATETIME>", () => formatDate(this.#datetimeFormat, date));
  }
}

/** Puts a revision, from 0 on, into what `FileName.at()` returned: `-000000`. */
export function withRevision(name: string, revision: number): string {
  return name.replaceAll("<REV>", `-${String(revision).padStart(REVISION_DIGITS, "0")}`);
}

function hostOf({ hostIdentifier, hostname }: NameSettings): string {
  const shortHost = hostname.split(".")[0];
  if (hostIdentifier === "") return shortHost;
  return hostIdentifier.replaceAll("<SHORT_HOST>", () => shortHost).replaceAll("<HOSTNAME>", () => hostname);
}

function patternOf(format: string, known: Record<string, string>): RegExp {
  let hasRevision = false;
  const parts = format.split(new RegExp(`(${TOKENS.source})`)).map((part) => {
    if (part === "<PID>") return "\\d+";
    if (part === "<DATETIME>") return datePattern(known.datetimeFormat);
    if (part !== "<REV>") return escapePattern(known[part] ?? part);
    const digits = `-\\d{${REVISION_DIGITS},}`;
    const group = hasRevision ? digits : `(?<revision>${digits})`;
    hasRevision = true;
    return group;
  });
  return new RegExp(`^${parts.join("")}$`, "d");
}
