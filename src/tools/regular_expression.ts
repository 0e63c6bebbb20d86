/**
 * Regular expressions of options: RE2, as in NSQ's programs, whose time is linear whatever the text.
 *
 * Tested in test/tools/regular_expression_test.ts.
 */
import { ToolError } from "./tool.ts";

/** Says whether it matches `text` anywhere. */
export type Matches = (text: string) => boolean;

/**
 * Compiles `pattern`, the value of the flag `flag`.
 *
 * @throws {ToolError} when it is none
 */
export async function compileExpression(flag: string, pattern: string): Promise<Matches> {
  const { RE2JS } = await import("re2js");
  try {
    const compiled = RE2JS.compile(pattern);
    return (text) => compiled.matcher(text).find();
  } catch (cause) {
    throw new ToolError(
      `--${flag} ${JSON.stringify(pattern)} is no RE2 expression: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}
