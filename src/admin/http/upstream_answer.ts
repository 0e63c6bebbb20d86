/**
 * Turns what came of asking the cluster into answers of the HTTP API: partial failures are a warning in an answer
 * with status 200, and only when nobody answered is it an error. Tested in test/admin/http/api_test.ts.
 */
import { NobodyAnsweredError } from "../../cluster/partial.ts";
import { HttpError } from "../../http/errors.ts";

/** Runs `work`. @throws {HttpError} 502 when nobody answered */
export async function asking<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof NobodyAnsweredError)) throw cause;
    throw new HttpError(502, `UPSTREAM_ERROR: ${cause.message}`);
  }
}
