/** `nsq tail`: shows the messages of topics as they come. */
import type { Consumer, Message } from "../../client/mod.ts";
import { checkNames, createConsumer, readClientOptions } from "../client_settings.ts";
import { Consumers } from "../consumers.ts";
import { checkAddressPair, checkHostPort } from "../options/shared_options.ts";
import { compileExpression, type Matches } from "../regular_expression.ts";
import { isColoured } from "../terminal/screen.ts";
import { writeOut } from "../terminal/output.ts";
import { defineTool, type RunningTool, ToolError } from "../tool.ts";
import { formatJson, formatPlainMessage } from "./message_line.ts";
import { type TailOptions, tailOptions } from "./tail_options.ts";
import type { Logger } from "../../log/logger.ts";

const TOOL = "nsq_tail";

export const tailTool = defineTool({
  name: TOOL,
  command: "nsq tail",
  summary: "shows the messages of topics as they come",
  table: tailOptions,
  check: checkTailOptions,
  start: startTail,
});

function checkTailOptions(options: TailOptions): void {
  const { topic, channel, nsqdTcpAddress, lookupdHttpAddress } = options;
  checkAddressPair(nsqdTcpAddress, lookupdHttpAddress);
  if (topic.length === 0) throw new ToolError("--topic required");
  for (const name of topic) checkNames(name, channel === "" ? "any" : channel);
  if (options.n < 0) throw new ToolError("-n should not be negative");
  if (options.maxInFlight < 1) throw new ToolError("--max-in-flight should be positive");
  checkHostPort("nsqd-tcp-address", nsqdTcpAddress);
  checkHostPort("lookupd-http-address", lookupdHttpAddress, true);
  readClientOptions("consumer-opt", options.consumerOpt);
}

/** Nobody else's: who looks takes no message away from those who work. */
function ownChannel(): string {
  return `tail${String(Math.floor(Math.random() * 1_000_000)).padStart(6, "0")}#ephemeral`;
}

async function startTail(options: TailOptions, logger: Logger): Promise<RunningTool> {
  const { n, filter } = options;
  const channel = options.channel === "" ? ownChannel() : options.channel;
  const maxInFlight = n > 0 ? Math.min(n, options.maxInFlight) : options.maxInFlight;
  const matches: Matches | null = filter === "" ? null : await compileExpression("filter", filter);
  const show = showerOf(options);
  const consumers: Consumer[] = [];
  for (const topic of options.topic) {
    logger.info(`Adding consumer for topic: ${topic}`);
    consumers.push(createConsumer(TOOL, topic, channel, { ...options, maxInFlight }));
  }
  const running = new Consumers(consumers);
  for (const [index, consumer] of consumers.entries()) {
    let shown = 0;
    running.run(consumer, 1, (message) => {
      if (n > 0 && shown >= n) {
        // It came too late to be shown, and belongs to whoever comes next.
        message.requeue({ delay: 0, backoff: false });
        return;
      }
      if (matches !== null && !matches(message.text())) return;
      writeOut(show(options.topic[index], message));
      if (++shown !== n) return;
      // Finished before the end, so that it does not come again.
      message.finish();
      void running.stop();
    });
  }
  await running.ready();
  return running;
}

function showerOf(
  { json, printTopic }: TailOptions,
): (topic: string, message: Message) => string | Uint8Array {
  if (json) return (topic, message) => formatJson(topic, message);
  const isTopicColoured = isColoured("stdout");
  return (topic, message) => formatPlainMessage(printTopic ? topic : null, message.body, isTopicColoured);
}
