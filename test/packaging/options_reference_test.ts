import assert from "node:assert/strict";
import { describeCommands } from "../../src/cli/commands.ts";
import { optionsReference } from "../../src/packaging/options_reference.ts";

Deno.test("docs/options.md is what `deno task docs` makes of the option tables", async () => {
  const path = new URL("../../docs/options.md", import.meta.url);
  const made = optionsReference(await describeCommands());
  assert.equal(await Deno.readTextFile(path), made, "run `deno task docs` and commit what changed");
});

Deno.test("optionsReference() gives a row to every option of every command", async () => {
  const described = await describeCommands();
  const text = optionsReference(described);
  for (const { name, options } of described) {
    const section = text.split(`\n## nsq ${name}\n`)[1].split("\n## ")[0];
    for (const option of options) {
      assert.match(section, new RegExp(`^\\| \`--${option.name}\\b`, "m"), option.name);
    }
  }
});
