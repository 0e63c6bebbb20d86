import assert from "node:assert/strict";
import { describeCommands } from "../../src/cli/commands.ts";
import { commandPage, programPage } from "../../src/packaging/manual/page.ts";

const release = { version: "1.3.0", date: "2026-11-05" };
const described = await describeCommands();
const pages = new Map([
  ["nsq", programPage(described, release)],
  ...described.map((command) => [`nsq-${command.name}`, commandPage(command, release)] as const),
]);

const hasMandoc = await new Deno.Command("mandoc", { args: ["-T", "lint"], stdin: "null", stdout: "null" })
  .output()
  .then(() => true, () => false);
if (!hasMandoc) console.log("The check of manual pages by mandoc is skipped: there is no mandoc here");

Deno.test("commandPage() names every flag, its default and its range", () => {
  for (const command of described) {
    const page = pages.get(`nsq-${command.name}`)!;
    for (const { name } of command.options) assert.ok(page.includes(`.It Fl -${name}`), name);
  }
  const page = pages.get("nsq-nsqd")!.replaceAll("\n", " ");
  assert.match(page, /\.It Fl -msg-timeout=<duration> .*?\(default 1m0?s?; at least 1ms\)/);
  assert.match(page, /\.Dd November 5, 2026/);
  assert.match(pages.get("nsq")!, /^\.Xr nsq-nsqd 1/m);
});

Deno.test({
  name: "manual pages have nothing that mandoc complains of",
  ignore: !hasMandoc,
  async fn() {
    for (const [name, page] of pages) {
      const child = new Deno.Command("mandoc", {
        args: ["-T", "lint", "-W", "style"],
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(page));
      await writer.close();
      const said = new TextDecoder().decode((await child.output()).stdout);
      // Pages that are not installed here cannot be found.
      const complaints = said.split("\n").filter((line) =>
        line !== "" && !line.includes("referenced manual not found")
      );
      assert.deepEqual(complaints, [], name);
    }
  },
});
