/** Completion for bash: a function that knows the commands, their flags, and what a flag takes. Tested in test/packaging/completions_test.ts. */
import { type CommandDescription, valueKind, valueWords } from "../command_description.ts";

/** The script, to be sourced or put into the folder of completions under the name `nsq`. */
export function bashCompletion(commands: readonly CommandDescription[]): string {
  const names = commands.flatMap(({ name, aliases }) => [name, ...aliases]);
  const cases = commands.map(({ name, aliases, options }) => {
    const flags = [
      "--help",
      ...options.map((option) => `--${option.name}${valueKind(option) === "none" ? "" : "="}`),
    ];
    return `    ${[name, ...aliases].join(" | ")}) flags="${flags.join(" ")}" ;;`;
  });
  const values = new Map<string, string>();
  for (const option of commands.flatMap(({ options }) => options)) {
    const kind = valueKind(option);
    const reply = kind === "word"
      ? `compgen -W "${valueWords(option).join(" ")}" -- "$value"`
      : kind === "file"
      ? 'compgen -f -- "$value"'
      : kind === "folder"
      ? 'compgen -d -- "$value"'
      : "";
    if (reply !== "") values.set(option.name, reply);
  }
  const valueCases = [...values].map(([name, reply]) =>
    `      --${name}) mapfile -t COMPREPLY < <(${reply}) ;;`
  );
  return `# bash completion for nsq
_nsq() {
  local line word flag value command flags index
  # The words as they were typed: bash takes = for a break between words.
  line=\${COMP_LINE:0:COMP_POINT}
  word=\${line##*[[:space:]]}
  command=\${COMP_WORDS[0]##*/}
  if [[ $command == nsq ]]; then
    index=1
    command=\${COMP_WORDS[1]:-}
    if ((COMP_CWORD == 1)); then
      mapfile -t COMPREPLY < <(compgen -W "${names.join(" ")} help --help --version" -- "$word")
      return
    fi
    if [[ $command == help ]]; then
      ((COMP_CWORD == index + 1)) && mapfile -t COMPREPLY < <(compgen -W "${names.join(" ")}" -- "$word")
      return
    fi
  fi
  flags=""
  case $command in
${cases.join("\n")}
  esac
  if [[ $word == --*=* ]]; then
    flag=\${word%%=*}
    value=\${word#*=}
    case $flag in
${valueCases.join("\n")}
    esac
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi
}
complete -F _nsq nsq ${commands.flatMap(({ aliases }) => aliases).concat("nsqd").join(" ")}
`;
}
