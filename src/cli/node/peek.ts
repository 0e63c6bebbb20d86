/** The subcommand `peek`: shows messages and changes nothing. Tested in test/cli/node_commands_test.ts. */
import { peekOptions } from "../../options/tables/node_options.ts";
import { NodeApi } from "../../tools/node/node_api.ts";
import { buildInfo } from "../../version.ts";
import { runNodeCommand, subjectOf, WordsError } from "./node_command.ts";

export const options = peekOptions;
export const words = "TOPIC[/CHANNEL]";

const program = {
  name: "nsq peek",
  command: "nsq peek TOPIC[/CHANNEL]",
  summary: "shows messages of a topic or channel without consuming them",
  versionText: buildInfo("nsq peek"),
};

/** Messages that are asked for at a time. */
const MAX_PAGE = 1000;

interface Page {
  messages: Record<string, unknown>[];
  next?: string;
}

/** Resolves with the exit code. */
export function run(args: readonly string[]): Promise<number> {
  return runNodeCommand(peekOptions, program, args, async ([word, ...more], settings) => {
    if (more.length > 0) throw new WordsError(`one topic is enough, but there is also "${more[0]}"`);
    const { nsqdHttpAddress, timeout, state, from, n, match, json, authSecret } = settings;
    const subject = subjectOf(word), node = new NodeApi(nsqdHttpAddress, timeout, authSecret);
    const isTopic = subject.channel === undefined, isOfTopic = state === "held" || state === "all";
    if (!isTopic && isOfTopic) {
      throw new WordsError(`--state=${state} is for topics; for channels without /CHANNEL`);
    }
    const path = isTopic ? "/topic/messages" : "/channel/messages";
    const query: Record<string, string> = { ...subject, state: isTopic && !isOfTopic ? "all" : state };
    if (match !== "") query.match = match;
    let place: string | undefined = from, left = n;
    while (place !== undefined && left > 0) {
      const limit = String(Math.min(left, MAX_PAGE));
      const page = await node.call("GET", path, { ...query, from: place, limit }) as Page;
      for (const message of page.messages) console.log(json ? JSON.stringify(message) : line(message));
      left -= page.messages.length;
      place = page.next;
    }
  });
}

/** Time, id, attempts and state, what there is besides, and the body. */
function line(message: Record<string, unknown>): string {
  const { timestamp, id, attempts, state, body, body_base64, due, reason } = message;
  const time = new Date(Number(timestamp) / 1e6).toISOString();
  const facts = [
    state,
    ...(due === undefined ? [] : [`due ${due}`]),
    ...(reason === undefined ? [] : [reason]),
  ];
  return `${time}  ${id}  ${attempts}  ${facts.join(", ")}  ${body ?? `base64:${body_base64}`}`;
}
