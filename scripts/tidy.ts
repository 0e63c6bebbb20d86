/**
 * Checks the checkout against the house rules: `deno task tidy`. Prints the findings and exits with 1
 * when there are any. Which rules there are is said in `house_rules.ts` and `structure_rules.ts`.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkHouseRules, type TextFile } from "./house_rules.ts";
import { checkStructure } from "./structure_rules.ts";

const CHECKOUT = fileURLToPath(new URL("..", import.meta.url));

/** Tells which paths are no part of the project: those that `.gitignore` names, and the history. */
function readIgnored(): (path: string) => boolean {
  const lines = Deno.readTextFileSync(join(CHECKOUT, ".gitignore")).split("\n");
  const patterns = ["/.git", ...lines.filter((line) => /^[^#]/.test(line))].map((line) => {
    if (!line.startsWith("/")) throw new Error(`Cannot read "${line}" of .gitignore: it has to start with /`);
    const name = line.slice(1).replace(/\/$/, "");
    return new RegExp(`^${name.split("*").map(RegExp.escape).join("[^/]*")}$`);
  });
  return (path) => patterns.some((pattern) => pattern.test(path));
}

/** Yields every text file below `folder`, which is relative to the checkout; symbolic links are left out. */
function* textFiles(folder: string, isIgnored: (path: string) => boolean): Generator<TextFile> {
  for (const entry of Deno.readDirSync(join(CHECKOUT, folder))) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (isIgnored(path)) continue;
    if (entry.isDirectory) yield* textFiles(path, isIgnored);
    if (!entry.isFile) continue;
    const bytes = Deno.readFileSync(join(CHECKOUT, path));
    if (!bytes.includes(0)) yield { path, text: new TextDecoder().decode(bytes) };
  }
}

const denoVersion = Deno.readTextFileSync(join(CHECKOUT, ".dvmrc")).trim();
const files = [...textFiles("", readIgnored())];
const findings = [...checkHouseRules(files, denoVersion), ...checkStructure(files)].sort();
for (const finding of findings) console.log(finding);
console.log(`tidy: ${files.length} files, ${findings.length} findings`);
Deno.exit(findings.length > 0 ? 1 : 0);
