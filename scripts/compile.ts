/**
 * Compiles the program into one executable.
 *
 *     deno task compile [output path, default dist/nsq]
 *
 * The executable gets the permissions that `deno task nsqd` gives, no others. `deno compile` fetches its
 * base runtime on first use; where that cannot be reached, set `DENORT_BIN` to the path of one.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

/** Reads the permissions and the flags of V8 from the task `nsqd`, so that there is one place to change them. */
function permissions(): string[] {
  const config = JSON.parse(Deno.readTextFileSync(resolve(CHECKOUT, "deno.json")));
  const flags = (config.tasks.nsqd.command as string).match(
    /--(?:no-prompt|allow-[a-z]+|v8-flags=\S+)(?=\s)/g,
  );
  if (flags === null) throw new Error("Cannot compile: the task nsqd in deno.json gives no permission");
  return flags;
}

/**
 * Keeps packages out that only tests import, native ones among them: the lock file names those too, and
 * all it names is embedded by default. Deno before 2.9 knows no such flag, and makes a larger executable.
 */
function withoutTestPackages(): string[] {
  const [major, minor] = Deno.version.deno.split(".").map(Number);
  return major > 2 || major === 2 && minor >= 9 ? ["--exclude-unused-npm"] : [];
}

async function compile(output: string): Promise<number> {
  await Deno.mkdir(dirname(output), { recursive: true });
  const command = new Deno.Command(Deno.execPath(), {
    // Types are the business of `deno task check`.
    args: [
      "compile",
      "--no-check",
      "--frozen",
      ...withoutTestPackages(),
      ...permissions(),
      `--output=${output}`,
      "main.ts",
    ],
    cwd: CHECKOUT,
  });
  const { code } = await command.spawn().status;
  return code;
}

if (Deno.args.length > 1) {
  console.error(`Cannot compile to ${Deno.args.length} places: give one output path or none`);
  Deno.exit(2);
}
Deno.exit(await compile(resolve(Deno.args[0] ?? resolve(CHECKOUT, "dist/nsq"))));
