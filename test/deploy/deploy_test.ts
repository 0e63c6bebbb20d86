/**
 * The files under `deploy/`: everything they name exists, and what there are tools for here is checked by them. Tools
 * that are not here are said, and their tests skipped.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { commands } from "../../src/cli/commands.ts";
import { describeCommands } from "../../src/cli/commands.ts";
import { parseMetrics } from "../support/metrics_text.ts";
import { startNsqd } from "../support/running_nsqd.ts";

const FOLDER = fileURLToPath(new URL("../../deploy", import.meta.url));

/** Whether there is such a tool; says when there is none. */
async function has(tool: string): Promise<boolean> {
  try {
    await new Deno.Command(tool, { args: ["--help"], stdout: "null", stderr: "null" }).output();
    return true;
  } catch {
    console.log(`A check by ${tool} is skipped: it is not here`);
    return false;
  }
}

async function run(tool: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(tool, { args, cwd: FOLDER }).output();
  const text = new TextDecoder();
  assert.equal(code, 0, text.decode(stdout) + text.decode(stderr));
  return text.decode(stdout);
}

/** Flags that a command line in a file uses: each has to be one of the command's. */
async function checkArguments(args: readonly string[], place: string): Promise<void> {
  const [name, ...flags] = args;
  const described = (await describeCommands()).find((command) => command.name === name);
  assert.ok(described !== undefined, `${place}: there is no command ${name}`);
  for (const flag of flags) {
    const [, option] = /^--([a-z-]+)/.exec(flag) ?? [];
    assert.ok(
      described.options.some((known) => known.name === option),
      `${place}: ${name} has no flag ${flag}`,
    );
  }
}

interface Compose {
  services: Record<string, {
    command: string[];
    ports: string[];
    volumes: string[];
    healthcheck: { test: string[] };
  }>;
  volumes: Record<string, null>;
}

Deno.test("every command line of the compose file is one, and every port and volume is there", async () => {
  const compose = parse(await Deno.readTextFile(`${FOLDER}/docker/compose.yaml`), { merge: true }) as Compose;
  for (const [name, service] of Object.entries(compose.services)) {
    await checkArguments(service.command, name);
    const [, program, ...check] = service.healthcheck.test;
    assert.equal(program, "nsq");
    await checkArguments(check, name);
    for (const volume of service.volumes) assert.ok(volume.split(":")[0] in compose.volumes, volume);
    // Whoever is told of 127.0.0.1:port has to find it there.
    for (const port of service.ports) assert.match(port, /^127\.0\.0\.1:(\d+):\1$/);
  }
});

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}

Deno.test("every metric of the alert rules is one of nsqd's, of the kind it is used as, with its labels", async () => {
  const { groups } = parse(await Deno.readTextFile(`${FOLDER}/prometheus/alerts.yaml`)) as {
    groups: { rules: Rule[] }[];
  };
  await using server = await startNsqd([]);
  await server.http("POST", "/topic/create?topic=t");
  await server.http("POST", "/channel/create?topic=t&channel=c");
  const families = parseMetrics(await server.http("GET", "/metrics"));
  const names = new Set<string>();
  for (const { alert, expr, labels, annotations } of groups.flatMap(({ rules }) => rules)) {
    assert.ok(!names.has(alert), `${alert} is there twice`);
    names.add(alert);
    assert.match(labels.severity, /^(critical|warning)$/);
    assert.match(annotations.runbook, /\.$/, alert);
    for (const [name] of expr.matchAll(/\bnsq_\w+/g)) {
      const family = families.get(name) ?? families.get(name.replace(/_bucket$/, ""));
      assert.ok(family !== undefined, `${name} in ${alert}`);
      assert.equal(new RegExp(`rate\\(${name}`).test(expr), family.type !== "gauge", `${name} in ${alert}`);
      for (const [, label] of annotations.summary.matchAll(/\$labels\.(\w+)/g)) {
        const sample = family.samples[0];
        assert.ok(label === "instance" || label in sample.labels, `${label} in the summary of ${alert}`);
      }
    }
  }
});

Deno.test({
  name: "the chart has nothing that helm complains of, and renders command lines that are ones",
  ignore: !await has("helm"),
  async fn() {
    await run("helm", "lint", "--strict", "helm/nsq");
    const text = await run("helm", "template", "test", "helm/nsq");
    let count = 0;
    for (const document of parseAllDocuments(text)) {
      const resource = document.toJS();
      for (const container of resource?.spec?.template?.spec?.containers ?? []) {
        await checkArguments(container.args, resource.metadata.name);
        count++;
      }
      for (const claim of resource?.spec?.volumeClaimTemplates ?? []) {
        assert.ok(!JSON.stringify(claim).includes('version":"1.3'), "a claim template has a version in it");
      }
    }
    assert.equal(count, 3);
  },
});

Deno.test({
  name: "the Dockerfile has nothing that hadolint complains of",
  ignore: !await has("hadolint"),
  fn: () => run("hadolint", "docker/Dockerfile").then(() => {}),
});

Deno.test("the Dockerfile starts commands that exist", async () => {
  const text = await Deno.readTextFile(`${FOLDER}/docker/Dockerfile`);
  const lists = [...text.matchAll(/^(?:CMD|.* CMD) (\[.*\])$/gm)].map(([, list]) =>
    JSON.parse(list) as string[]
  );
  assert.equal(lists.length, 2);
  for (const list of lists) await checkArguments(list[0] === "nsq" ? list.slice(1) : list, "Dockerfile");
  assert.ok(commands.some(({ name }) => name === "healthcheck"));
});
