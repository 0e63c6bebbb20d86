/**
 * Drives one browser for the tests, in Node: launching browsers from Deno is not reliable.
 *
 *     node driver.mjs <path of playwright-core> <path of the browser> <path of axe-core's script>
 *
 * Reads `{ id, scenario, args }` a line, runs that export of `scenarios.mjs` on a fresh profile, and writes
 * `{ id, value }` or `{ id, error }`. What the page writes to its console as an error fails the scenario.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import * as scenarios from "./scenarios.mjs";

const [playwrightPath, browserPath, axePath] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(playwrightPath);
const axe = readFileSync(axePath, "utf8");
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const STEP_LIMIT_MS = 10_000;

const browser = await chromium.launch({ executablePath: browserPath, args: FLAGS });

/** Calls `work` with a page of its own; `options` are those of a browser context, and `mayFail` a pattern of what may be complained of. */
async function withPage({ mayFail, ...options }, work) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: "en-GB",
    ...options,
  });
  context.setDefaultTimeout(STEP_LIMIT_MS);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    const { url } = message.location();
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.text()} (${url})`);
  });
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  try {
    const value = await work(page);
    const serious = complaints.filter((text) => mayFail === undefined || !new RegExp(mayFail).test(text));
    if (serious.length > 0) throw new Error(`the page complained: ${serious.join("; ")}`);
    return value;
  } finally {
    await context.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, scenario, args } = JSON.parse(line);
  let answer;
  try {
    answer = { id, value: await scenarios[scenario]({ ...args, withPage, axe }) ?? null };
  } catch (error) {
    answer = { id, error: error.stack ?? String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
