/** The subcommands of the program, and the choice between them. */
import { closest } from "../options/closest.ts";
import type { OptionTable } from "../options/option.ts";
import type { Tool } from "../tools/tool.ts";
import type { CommandDescription } from "../packaging/command_description.ts";
import { buildInfo } from "../version.ts";

/** What the module of a subcommand gives. */
export interface CommandModule {
  /**
   * Takes the words after the command and resolves with the exit code.
   *
   * @param describe tells of all commands, for those that are about them
   */
  run(args: readonly string[], describe: () => Promise<CommandDescription[]>): Promise<number>;
  readonly options: OptionTable;
  /** What may stand behind the command besides flags, as a synopsis shows it; by default nothing. */
  readonly words?: string;
}

/** One subcommand; its modules are loaded only when it is chosen. */
export interface Command {
  name: string;
  aliases: readonly string[];
  /** One line for the list of commands. */
  summary: string;
  load(): Promise<CommandModule>;
}

const APP = "nsq";

export const commands: readonly Command[] = [
  {
    name: "standalone",
    aliases: [],
    summary: "Broker, discovery and console in one process, for development and small installations",
    load: () => import("./standalone.ts"),
  },
  {
    name: "nsqd",
    aliases: [],
    summary: "The broker: receives, keeps and delivers messages",
    load: () => import("./nsqd.ts"),
  },
  {
    name: "lookupd",
    aliases: ["nsqlookupd"],
    summary: "Discovery: knows which nsqd has which topics and channels",
    load: () => import("./lookupd.ts"),
  },
  {
    name: "admin",
    aliases: ["nsqadmin"],
    summary: "Console: topics, channels, consumers and nodes in a browser",
    load: () => import("./admin.ts"),
  },
  {
    name: "peek",
    aliases: [],
    summary: "Shows messages of a topic or channel without consuming them",
    load: () => import("./node/peek.ts"),
  },
  {
    name: "policy",
    aliases: [],
    summary: "Shows and sets what a topic or channel does: dead letters, expiry, bounds, order",
    load: () => import("./node/policy.ts"),
  },
  {
    name: "definitions",
    aliases: [],
    summary: "Topics, channels and policies of a node as a file",
    load: () => import("./node/definitions.ts"),
  },
  {
    name: "doctor",
    aliases: [],
    summary: "Checks that the nodes that lookupds hand out can be reached from here",
    load: () => import("./doctor.ts"),
  },
  {
    name: "stat",
    aliases: ["nsq_stat"],
    summary: "Shows what happens in a channel, or live in all of them",
    load: async () => runnerOf((await import("../tools/stat/stat.ts")).statTool),
  },
  {
    name: "tail",
    aliases: ["nsq_tail"],
    summary: "Shows the messages of topics as they come",
    load: async () => runnerOf((await import("../tools/tail/tail.ts")).tailTool),
  },
  {
    name: "pub",
    aliases: ["to_nsq"],
    summary: "Publishes lines of standard input or of a file",
    load: async () => runnerOf((await import("../tools/pub/pub.ts")).pubTool),
  },
  {
    name: "to-file",
    aliases: ["nsq_to_file"],
    summary: "Writes topics to files",
    load: async () => runnerOf((await import("../tools/to_file/to_file.ts")).toFileTool),
  },
  {
    name: "to-http",
    aliases: ["nsq_to_http"],
    summary: "Sends each message of a topic to HTTP servers",
    load: async () => runnerOf((await import("../tools/to_http/to_http.ts")).toHttpTool),
  },
  {
    name: "to-nsq",
    aliases: ["nsq_to_nsq"],
    summary: "Forwards topics to other nsqds",
    load: async () => runnerOf((await import("../tools/to_nsq/to_nsq.ts")).toNsqTool),
  },
  {
    name: "bench",
    aliases: [],
    summary: "Measures how much an nsqd carries",
    load: async () => runnerOf((await import("../tools/bench/bench.ts")).benchTool),
  },
  {
    name: "healthcheck",
    aliases: [],
    summary: "Asks a program whether it is well, for images and scripts",
    load: () => import("./healthcheck.ts"),
  },
  {
    name: "systemd",
    aliases: [],
    summary: "Writes unit files, to run as services under systemd",
    load: () => import("./systemd.ts"),
  },
  {
    name: "completion",
    aliases: [],
    summary: "Prints the completion script for a shell: bash, zsh or fish",
    load: () => import("./texts/completion.ts"),
  },
  {
    name: "man",
    aliases: [],
    summary: "Prints the manual page of the program or of one command",
    load: () => import("./texts/man.ts"),
  },
];

/** A utility as a command. What runs it is loaded with the first one. */
function runnerOf<T extends OptionTable>(tool: Tool<T>): CommandModule {
  return { options: tool.table, run: async (args) => await (await import("./tool.ts")).runTool(tool, args) };
}

/** What a command line without a usable command is answered with. */
export interface Answer {
  code: number;
  text: string;
  to: "stdout" | "stderr";
}

/** Finds the command that the first of `args` names, or what to answer instead. */
export function chooseCommand(args: readonly string[]): Command | Answer {
  const word = args[0];
  if (word === undefined) return { code: 2, text: commandsHelp(), to: "stderr" };
  if (["-h", "-help", "--help", "help"].includes(word)) {
    return { code: 0, text: commandsHelp(), to: "stdout" };
  }
  if (["-version", "--version"].includes(word)) return { code: 0, text: buildInfo(APP), to: "stdout" };
  const command = commands.find(({ name, aliases }) => name === word || aliases.includes(word));
  if (command !== undefined) return command;
  const likely = closest(word, commands.flatMap(({ name, aliases }) => [name, ...aliases]));
  const hint = likely === undefined ? `${APP} --help lists all` : `did you mean ${likely}?`;
  return { code: 2, text: `unknown command "${word}", ${hint}`, to: "stderr" };
}

/**
 * The words of a command line, the command first: a program that was called through a link of the name of another
 * implementation's program, such as `nsqlookupd`, is that command.
 *
 * @param calledAs the path or name it was called by
 */
export function commandWords(calledAs: string, args: readonly string[]): readonly string[] {
  const name = calledAs.slice(calledAs.lastIndexOf("/") + 1);
  const isCommand = name === "nsqd" || commands.some(({ aliases }) => aliases.includes(name));
  return isCommand ? [name, ...args] : args;
}

/** Runs the chosen command and resolves with the exit code of the process. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const [word, topic, ...rest] = args;
  if (word === "help" && topic !== undefined) return await runCommandLine([topic, "--help", ...rest]);
  const chosen = chooseCommand(args);
  if ("load" in chosen) return await (await chosen.load()).run(args.slice(1), describeCommands);
  if (chosen.to === "stdout") console.log(chosen.text);
  else console.error(chosen.text);
  return chosen.code;
}

function commandsHelp(): string {
  const titles = commands.map(({ name, aliases }) => [name, ...aliases].join(", "));
  const width = Math.max(...titles.map((title) => title.length));
  const lines = commands.map(({ summary }, index) => `  ${titles[index].padEnd(width)}  ${summary}`);
  return [
    `Usage: ${APP} <command> [flags]`,
    "",
    "Commands:",
    ...lines,
    "",
    `${APP} <command> --help shows the flags of a command, ${APP} --version the version.`,
  ].join("\n");
}

/** All commands with their options, in the order of `nsq --help`; loads the modules of all. */
export function describeCommands(): Promise<CommandDescription[]> {
  return Promise.all(commands.map(async ({ name, aliases, summary, load }) => {
    const { options, words = "" } = await load();
    return { name, aliases, summary, options, words };
  }));
}
