/**
 * Takes the pictures of README: starts a cluster with its console, fills it with believable traffic, opens pages.
 *
 *     deno task screenshots [minutes of traffic before, default 6] [folder, default docs]
 */
import { Browser } from "../support/browser.ts";
import { startBelievableLoad } from "../support/believable_load.ts";
import { ConsoleCluster } from "../support/console_cluster.ts";

const PICTURES = [
  { name: "overview", path: "/" },
  { name: "channel", path: "/topics/orders/billing" },
] as const;

const minutes = Number(Deno.args[0] ?? 6);
const folder = Deno.args[1] ?? "docs";
await using browser = await Browser.start();
if (browser === null) Deno.exit(1);
await using cluster = await ConsoleCluster.start({
  nodes: 3,
  adminFlags: ["--admin-environment=production:red"],
});
await using _load = await startBelievableLoad(cluster);
console.log(`${cluster.base} for ${minutes} minutes`);
await browser.run("lookFor", { base: cluster.base, ms: minutes * 60_000 });
await Deno.mkdir(folder, { recursive: true });
for (const { name, path } of PICTURES) {
  for (const colorScheme of ["light", "dark"]) {
    const file = `${folder}/console_${name}_${colorScheme}.png`;
    await browser.run("takePicture", { address: cluster.base + path, colorScheme, file });
    console.log(file);
  }
}
