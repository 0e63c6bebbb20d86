/**
 * Publishes messages over the HTTP API of a node: of the one that was asked for, or of the first that takes them.
 *
 * Tested in test/admin/actions/actions_test.ts.
 */
import type { Outcome } from "../../cluster/mutations.ts";
import { type Upstream, UpstreamError } from "../../cluster/upstream.ts";
import type { PublishAction } from "../model/action.ts";

/** Bytes of the number in front of a body. */
const LENGTH_BYTES = 4;

/**
 * Tries `nodes`, which are ids, in their order. One that could not be reached has taken nothing, and the next is
 * asked; one that refuses, or does not say what became of them, is the last.
 */
export async function publish(
  upstream: Upstream,
  nodes: readonly string[],
  action: PublishAction,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const target of nodes) {
    try {
      await publishOn(upstream, target, action);
      outcomes.push({ kind: "nsqd", target, error: "" });
      return outcomes;
    } catch (cause) {
      if (!(cause instanceof UpstreamError)) throw cause;
      outcomes.push({ kind: "nsqd", target, error: cause.message });
      if (!cause.isUnreached) return outcomes;
    }
  }
  return outcomes;
}

async function publishOn(upstream: Upstream, node: string, action: PublishAction): Promise<void> {
  const topic = encodeURIComponent(action.topic);
  const [first, ...others] = action.bodies;
  if (others.length > 0 && action.deferMs === 0) {
    await upstream.post("nsqd", node, `/mpub?topic=${topic}&binary=true`, frame(action.bodies));
    return;
  }
  const defer = action.deferMs > 0 ? `&defer=${Math.round(action.deferMs)}` : "";
  for (const [index, body] of [first, ...others].entries()) {
    try {
      await upstream.post("nsqd", node, `/pub?topic=${topic}${defer}`, body);
    } catch (cause) {
      if (!(cause instanceof UpstreamError) || index === 0) throw cause;
      throw new UpstreamError(
        `${index} of ${action.bodies.length} were published, then: ${cause.message}`,
        cause.status,
      );
    }
  }
}

/** The body of an MPUB: the number of messages, then each behind its length; big-endian. */
function frame(bodies: readonly Uint8Array[]): Uint8Array {
  const size = bodies.reduce((total, body) => total + LENGTH_BYTES + body.length, LENGTH_BYTES);
  const bytes = new Uint8Array(size), view = new DataView(bytes.buffer);
  view.setUint32(0, bodies.length);
  let at = LENGTH_BYTES;
  for (const body of bodies) {
    view.setUint32(at, body.length);
    bytes.set(body, at + LENGTH_BYTES);
    at += LENGTH_BYTES + body.length;
  }
  return bytes;
}
