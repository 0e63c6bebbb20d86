/**
 * Standard output of the utilities: what is written goes out whole and in order, and a reader that went away ends
 * the program rather than surprising it.
 *
 * Tested in test/tools/tail/tail_test.ts.
 */
import { reasonOf, ToolError } from "../tool.ts";

const encoder = new TextEncoder();

/** Writes all of it. @throws {ToolError} when nobody reads any more, or the disk behind it is full */
export function writeOut(text: string | Uint8Array): void {
  let bytes = typeof text === "string" ? encoder.encode(text) : text;
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  } catch (cause) {
    throw new ToolError(`ERROR: failed to write to os.Stdout - ${reasonOf(cause)}`, { cause });
  }
}
