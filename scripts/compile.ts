/**
 * Makes the program one executable file.
 *
 *     deno task compile [--target TRIPLE] [--kind native|unpacking] [output path, default dist/nsq]
 *
 * `native` is what `deno compile` makes. It fetches its base runtime on first use; where that cannot be reached,
 * set `DENORT_BIN` to the path of one. Without `--kind`, a base runtime that cannot be had is said in one line and
 * the same file is made the other way, see `unpacking_executable.ts`.
 *
 * Permissions stand in `deno.json`, under `compile`: both kinds get those and no others.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Target, targetOf, targets } from "./targets.ts";
import { makeUnpackingExecutable } from "./unpacking_executable.ts";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));
const KINDS = ["native", "unpacking"] as const;
type Kind = typeof KINDS[number];

/** Few and short collections of young objects: see "Operating" in README. */
const V8_FLAGS = ["--max-semi-space-size=4"];

/** What both kinds of executable are started with. @returns flags of `deno run` and of `deno compile` */
export function runtimeFlags(): string[] {
  const { compile, unstable } = JSON.parse(Deno.readTextFileSync(resolve(CHECKOUT, "deno.json"))) as {
    compile: { permissions: Record<string, boolean> };
    unstable: string[];
  };
  return [
    "--no-prompt",
    ...unstable.map((name) => `--unstable-${name}`),
    `--v8-flags=${V8_FLAGS.join(",")}`,
    ...Object.keys(compile.permissions).map((name) => `--allow-${name}`),
  ];
}

/** True when the Deno that runs this is of release `major.minor` or a later one. */
function isDenoAtLeast(major: number, minor: number): boolean {
  const [ours, oursMinor] = Deno.version.deno.split(".").map(Number);
  return ours > major || ours === major && oursMinor >= minor;
}

/** Flags that only some releases of Deno know. */
function releaseFlags(): string[] {
  // The lock file names packages that only tests import, native ones among them, and all it names is embedded.
  return isDenoAtLeast(2, 9) ? ["--exclude-unused-npm"] : [];
}

/** Runs `deno compile`. Resolves with its exit code and what it said on standard error. */
async function compileNative(output: string, target: Target): Promise<{ code: number; said: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    // Types are the business of `deno task check`.
    args: [
      "compile",
      "--no-check",
      "--frozen",
      ...releaseFlags(),
      ...runtimeFlags(),
      ...(target === targetOf(Deno.build) ? [] : [`--target=${target}`]),
      `--output=${output}`,
      "main.ts",
    ],
    cwd: CHECKOUT,
    env: { NO_COLOR: "1" },
    stderr: "piped",
  });
  const { code, stderr } = await child.output();
  return { code, said: new TextDecoder().decode(stderr) };
}

/** Resolves with the exit code of the process. */
async function compile(output: string, target: Target, kind: Kind | undefined): Promise<number> {
  await Deno.mkdir(dirname(output), { recursive: true });
  if (kind !== "unpacking") {
    const { code, said } = await compileNative(output, target);
    if (code === 0) return 0;
    if (kind === "native" || !/base binary|denort/i.test(said)) {
      console.error(said.trimEnd());
      return code;
    }
    const reason = [...said.matchAll(/^ +\d+: (.*)$/gm)].findLast(([, text]) => text !== "<unknown>")?.[1];
    console.error(
      `The base runtime of deno compile cannot be had (${
        reason ?? "no reason given"
      }); making a file that unpacks itself`,
    );
  }
  try {
    await makeUnpackingExecutable(output, target, runtimeFlags());
    return 0;
  } catch (cause) {
    console.error((cause as Error).message);
    return 1;
  }
}

/** Says what is wrong with the command line, and how it should be. */
function usage(problem: string): never {
  console.error(
    `${problem}\nUsage: deno task compile [--target TRIPLE] [--kind ${KINDS.join("|")}] [output]`,
  );
  Deno.exit(2);
}

async function main(): Promise<number> {
  let parsed;
  try {
    const options = { target: { type: "string" }, kind: { type: "string" } } as const;
    parsed = parseArgs({ args: Deno.args, options, allowPositionals: true });
  } catch (cause) {
    usage((cause as Error).message);
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) {
    usage(`Cannot compile to ${positionals.length} places: give one output path or none`);
  }
  const target = targets.find((known) => known === (values.target ?? targetOf(Deno.build)));
  if (target === undefined) usage(`There is no target "${values.target}"; there are: ${targets.join(", ")}`);
  const kind = KINDS.find((known) => known === values.kind);
  if (values.kind !== undefined && kind === undefined) {
    usage(`There is no kind "${values.kind}"; there are: ${KINDS.join(", ")}`);
  }
  return await compile(resolve(positionals[0] ?? resolve(CHECKOUT, "dist/nsq")), target, kind);
}

if (import.meta.main) Deno.exit(await main());
