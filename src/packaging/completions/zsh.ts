/** Completion for zsh: `_arguments` specifications for each command. Tested in test/packaging/completions_test.ts. */
import type { Option } from "../../options/option.ts";
import { type CommandDescription, shortHelp, valueKind, valueWords } from "../command_description.ts";

/** The script, to be put into a folder of `fpath` under the name `_nsq`. */
export function zshCompletion(commands: readonly CommandDescription[]): string {
  const links = commands.flatMap(({ aliases }) => aliases).concat("nsqd");
  const listed = commands.flatMap(({ name, aliases, summary }) =>
    [name, ...aliases].map((each) => `    ${quote(`${each}:${summary}`)}`)
  );
  const cases = commands.map(({ name, aliases, options }) =>
    [
      `    ${[name, ...aliases].join("|")})`,
      "      _arguments -s -S \\",
      ["'--help[show all flags]'", ...options.map(specification)].map((text) => `        ${text}`).join(
        " \\\n",
      ),
      "      ;;",
    ].join("\n")
  );
  return `#compdef nsq ${links.join(" ")}
_nsq_flags() {
  case $1 in
${cases.join("\n")}
  esac
}

_nsq() {
  local -a commands
  commands=(
${listed.join("\n")}
  )
  if [[ $service != nsq ]]; then
    _nsq_flags $service
  elif (( CURRENT == 2 )); then
    _describe command commands
  else
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    _nsq_flags $command
  fi
}

_nsq "$@"
`;
}

/** One flag, as `_arguments` reads it. */
function specification(option: Option): string {
  const help = shortHelp(option).replace(/[[\]\\]/g, "\\$&");
  const repeats = option.kind.endsWith("list") ? "*" : "";
  const kind = valueKind(option);
  if (kind === "none") return quote(`${repeats}--${option.name}[${help}]`);
  const action = kind === "word"
    ? `(${valueWords(option).join(" ")})`
    : kind === "file"
    ? "_files"
    : kind === "folder"
    ? "_files -/"
    : " ";
  return quote(`${repeats}--${option.name}=[${help}]:${option.kind}:${action}`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
