/** What a command line of one word, and no flags but `--help` and `--version`, comes to. Tested in test/packaging/completions_test.ts. */
import { closest } from "../../options/closest.ts";
import { buildInfo } from "../../version.ts";

/**
 * Takes the one word of `args`, which is one of `known`. Answers `--help`, `--version` and mistakes.
 *
 * @returns the word, undefined when there is none; or the exit code when there was something to answer
 */
export function takeWord(
  command: string,
  help: string,
  args: readonly string[],
  known: readonly string[],
): { word: string | undefined } | number {
  const [word, ...more] = args;
  if (/^--?h(?:elp)?$/.test(word ?? "")) {
    console.log(help);
    return 0;
  }
  if (/^--?version$/.test(word ?? "")) {
    console.log(buildInfo(command));
    return 0;
  }
  if (more.length === 0 && (word === undefined || known.includes(word))) return { word };
  if (word.startsWith("-")) console.error(`there is no flag ${word} (see ${command} --help)`);
  else if (more.length > 0) {
    console.error(`one word is enough, but there is also "${more[0]}" (see ${command} --help)`);
  } else {
    const likely = closest(word, known);
    const hint = likely === undefined ? `${command} --help says what there is` : `did you mean ${likely}?`;
    console.error(`unknown word "${word}", ${hint}`);
  }
  return 2;
}
