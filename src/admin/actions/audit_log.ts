/**
 * Who did what, when, to what, and what came of it: the last thousand entries in memory, every one in the log, and
 * in a file of JSON lines where there is one, from which memory is filled at a start.
 *
 * Tested in test/admin/actions/audit_log_test.ts.
 */
import type { Logger } from "../../log/logger.ts";
import type { ActionRecord } from "../model/action.ts";

const MAX_KEPT = 1000;
/** Of the file, as much as is read at a start. */
const MAX_READ_BYTES = 4 << 20;

export class AuditLog {
  readonly #path: string;
  readonly #logger: Logger;
  /** The oldest first. */
  readonly #records: ActionRecord[] = [];
  #sequence = 0;

  /** @param path a file that is appended to, or "" for none */
  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** Reads what the file holds already. @throws {Error} when it is there but cannot be read, or not be written */
  static async open(path: string, logger: Logger): Promise<AuditLog> {
    const log = new AuditLog(path, logger);
    if (path !== "") log.#records.push(...await readRecords(path));
    return log;
  }

  /** An id that no record has. */
  nextId(atMs: number): string {
    this.#sequence++;
    return `${Math.floor(atMs).toString(36)}-${this.#sequence.toString(36)}`;
  }

  add(record: ActionRecord): void {
    this.#records.push(record);
    if (this.#records.length > MAX_KEPT) this.#records.shift();
    const { user, kind, target, isOk, message, remoteAddress } = record;
    const outcome = isOk ? "ok" : JSON.stringify(message);
    this.#logger.info(
      `AUDIT: ${user === "" ? "somebody" : user} (${remoteAddress}) ${kind} ${target} - ${outcome}`.replace(
        / +/g,
        " ",
      ),
      { user, remote_address: remoteAddress, action: kind, target, result: isOk ? "ok" : "failed" },
    );
    if (this.#path !== "") this.#append(record);
  }

  /** Puts `record` in the place of the one with its id. */
  replace(record: ActionRecord): void {
    const at = this.#records.findIndex(({ id }) => id === record.id);
    if (at >= 0) this.#records[at] = record;
  }

  find(id: string): ActionRecord | undefined {
    return this.#records.find((record) => record.id === id);
  }

  /** The newest first, from behind the record with the id `before`. */
  list(limit: number, before?: string): ActionRecord[] {
    const found = before === undefined ? -1 : this.#records.findIndex(({ id }) => id === before);
    const end = found < 0 ? this.#records.length : found;
    return this.#records.slice(Math.max(0, end - limit), end).reverse();
  }

  #append(record: ActionRecord): void {
    try {
      Deno.writeTextFileSync(this.#path, `${JSON.stringify(record)}\n`, { append: true, mode: 0o600 });
    } catch (cause) {
      this.#logger.error(`failed to write the audit log ${this.#path} - ${(cause as Error).message}`);
    }
  }
}

async function readRecords(path: string): Promise<ActionRecord[]> {
  const file = await Deno.open(path, { read: true, append: true, create: true, mode: 0o600 });
  const { size } = await file.stat();
  const start = Math.max(0, size - MAX_READ_BYTES);
  await file.seek(start, Deno.SeekMode.Start);
  const lines = (await new Response(file.readable).text()).split("\n");
  // The first line may be cut in two, and the last is empty.
  if (start > 0) lines.shift();
  return lines.filter((line) => line !== "").slice(-MAX_KEPT).flatMap((line) => {
    try {
      const record = JSON.parse(line) as ActionRecord;
      // What could be undone is known to the process alone that did it.
      return typeof record.id === "string" ? [{ ...record, undoUntilMs: null }] : [];
    } catch {
      return [];
    }
  });
}
