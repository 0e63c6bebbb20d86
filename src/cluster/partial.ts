/**
 * What asking several nodes comes to when some of them fail: what the others said, and what went wrong.
 *
 * Tested in test/admin/http/api_test.ts.
 */
import { UpstreamError, type UpstreamKind } from "./upstream.ts";

/** The answers that came, and a line for each that did not. */
export interface Partial<T> {
  readonly values: T[];
  readonly errors: string[];
}

/** Nobody answered, or there was nobody to ask. */
export class NobodyAnsweredError extends Error {
  override name = "NobodyAnsweredError";

  constructor(kind: UpstreamKind, errors: readonly string[]) {
    super(`failed to query any ${kind}: ${errors.join("\n")}`);
  }
}

/**
 * Asks all `targets` at the same time; answers and errors come in their order.
 *
 * @param ask throws an `UpstreamError` for a target that fails; anything else it throws is a fault and passes on
 * @throws {NobodyAnsweredError} when every target failed, or there is none
 */
export async function askAll<A, T>(
  kind: UpstreamKind,
  targets: readonly A[],
  ask: (target: A) => Promise<T>,
): Promise<Partial<T>> {
  const partial: Partial<T> = { values: [], errors: [] };
  for (const outcome of await Promise.allSettled(targets.map(ask))) {
    if (outcome.status === "fulfilled") partial.values.push(outcome.value);
    else if (outcome.reason instanceof UpstreamError) partial.errors.push(outcome.reason.message);
    else throw outcome.reason;
  }
  if (partial.values.length === 0) throw new NobodyAnsweredError(kind, partial.errors);
  return partial;
}

/** Tells what went wrong in the steps of one request, "" when nothing did: the `message` of the API's answers. */
export function warningOf(...steps: readonly (readonly string[])[]): string {
  const texts = steps.filter((errors) => errors.length > 0).map((errors) => errors.join("\n"));
  return texts.length === 0 ? "" : `WARNING: ${texts.join("; ")}`;
}
