/**
 * Finds topics while the program runs: asks all lookupds for theirs, again and again.
 *
 * Tested in test/tools/to_file/to_file_test.ts.
 */
import type { HttpClient } from "../../http/client/http_client.ts";
import { urlOf } from "../../http/client/url.ts";
import type { Logger } from "../../log/logger.ts";
import { reasonOf } from "../tool.ts";

/** How the program of whom it is asks lookupds. */
export interface WatchSettings {
  lookupdHttpAddresses: readonly string[];
  refreshMs: number;
}

/**
 * All topics that the lookupds know, each once, in the order of their names.
 *
 * @throws when one of them does not answer: a list that may lack topics is no list
 */
export async function fetchTopics(http: HttpClient, addresses: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(addresses.map((address) => fetchTopicsOf(http, address)));
  return [...new Set(lists.flat())].sort();
}

async function fetchTopicsOf(http: HttpClient, address: string): Promise<string[]> {
  let answer: unknown;
  try {
    answer = await http.getJson(urlOf(address, "/topics"));
  } catch (cause) {
    throw new Error(`${address}: ${reasonOf(cause)}`, { cause });
  }
  // Before 1.0 lookupds wrapped their answers.
  const { topics, data } = answer as { topics?: unknown; data?: { topics?: unknown } };
  const list = topics ?? data?.topics;
  if (!Array.isArray(list) || list.some((topic) => typeof topic !== "string")) {
    throw new Error(`${address}: /topics answered no list of topics`);
  }
  return list as string[];
}

/** Calls `onTopics` with each list, the first at once. @returns what stops it */
export function watchTopics(
  http: HttpClient,
  { lookupdHttpAddresses, refreshMs }: WatchSettings,
  logger: Logger,
  onTopics: (topics: string[]) => void | Promise<void>,
): () => void {
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = async () => {
    try {
      const topics = await fetchTopics(http, lookupdHttpAddresses);
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
