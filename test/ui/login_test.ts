/** Login, roles, and a session that ends, in a browser. */
import assert from "node:assert/strict";
import { hashPassword } from "../../src/admin/access/password.ts";
import { writeUsersFile } from "../../src/admin/access/users_file.ts";
import { Browser } from "../support/browser.ts";
import { ConsoleCluster } from "../support/console_cluster.ts";
import { until } from "../support/program_process.ts";

const PASSWORD = "correct horse battery";

/** What each role finds on the page of a topic, and what the server answers when it deletes all the same. */
const ROLES = [
  { role: "viewer", buttons: [], status: 403 },
  { role: "operator", buttons: ["Publish", "Pause", "Create channel", "Empty"], status: 403 },
  { role: "admin", buttons: ["Publish", "Pause", "Create channel", "Empty", "Delete"], status: 303 },
] as const;

/** Resolves when the console has seen the topic: a node that took long for an answer is left in peace for a while. */
async function publishAndSee(cluster: ConsoleCluster, topic: string): Promise<void> {
  await cluster.publish(0, topic);
  const headers = { authorization: `Basic ${btoa(`the_viewer:${PASSWORD}`)}` };
  await until(`the console has seen ${topic}`, async () => {
    const answer = await fetch(`${cluster.base}/topics/${topic}`, { headers });
    await answer.body?.cancel();
    return answer.status === 200;
  });
}

Deno.test("Login and roles in a browser", async (t) => {
  await using browser = await Browser.start();
  if (browser === null) return;
  const usersFile = await Deno.makeTempFile({ prefix: "nsq_users_" });
  const passwordHash = await hashPassword(PASSWORD);
  writeUsersFile(
    usersFile,
    ROLES.map(({ role }) => ({ name: `the_${role}`, role, canViewBodies: false, password: passwordHash })),
  );
  await using cluster = await ConsoleCluster.start({ nodes: 1, adminFlags: [`--users-file=${usersFile}`] });
  const { base } = cluster;
  await publishAndSee(cluster, "orders");

  await t.step("a wrong password is refused, the right one leads on, and logging out ends it", async () => {
    const args = { base, name: "the_viewer", password: PASSWORD, path: "/topics/orders" };
    await browser.run("logInAfterMistake", args);
  });
  for (const { role, buttons, status } of ROLES) {
    await t.step(`${role} sees the actions of the role, and the server holds that line`, async () => {
      const args = { base, name: `the_${role}`, password: PASSWORD, topic: "orders" };
      assert.deepEqual(await browser.run("seeActions", args), { buttons, status });
    });
  }
  await t.step("a session that ends is begun again without leaving the page", async () => {
    // The admin has just deleted the other topic: one of that name might be the old one, or not be seen yet.
    await publishAndSee(cluster, "payments");
    const args = { base, name: "the_operator", password: PASSWORD, topic: "payments" };
    await browser.run("logInAgainInPlace", args);
  });
  await Deno.remove(usersFile);
});
