/**
 * Finds topics while the program runs: asks all lookupds for theirs, again and again.
 *
 * Tested in test/tools/to_file/to_file_test.ts.
 */
import { Cluster } from "../../cluster/cluster.ts";
import { Upstream } from "../../cluster/upstream.ts";
import type { HttpClient } from "../../http/client/http_client.ts";
import type { Logger } from "../../log/logger.ts";
import { reasonOf } from "../tool.ts";

/** How the program of whom it is asks lookupds. */
export interface WatchSettings {
  lookupdHttpAddresses: readonly string[];
  refreshMs: number;
}

/** Calls `onTopics` with each list, the first at once. @returns what stops it */
export function watchTopics(
  http: HttpClient,
  { lookupdHttpAddresses, refreshMs }: WatchSettings,
  logger: Logger,
  onTopics: (topics: string[]) => void | Promise<void>,
): () => void {
  const addresses = { lookupdHttpAddresses, nsqdHttpAddresses: [] };
  const cluster = new Cluster(new Upstream(http, null), () => addresses);
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = async () => {
    try {
      const { values: topics, errors } = await cluster.topics();
      // A list that may lack topics is no list.
      if (errors.length > 0) throw new Error(errors.join("; "));
      if (!isStopped) await onTopics(topics);
    } catch (cause) {
      if (!isStopped) logger.error(`could not retrieve topic list: ${reasonOf(cause)}`);
    }
    if (!isStopped) timer = setTimeout(look, refreshMs);
  };
  void look();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}
