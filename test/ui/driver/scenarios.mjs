/** What people do in the console, step by step; each export is run by name and throws where a page does otherwise. */
import assert from "node:assert/strict";

/** A page that is live has heard from its stream. */
async function isLive(page) {
  await page.waitForSelector('#live[data-state="live"]');
}

/** What axe finds on the page as it is, one line each; `rules` are those to look at, all unless given. */
async function findViolations(page, axe, rules) {
  await page.evaluate(axe);
  const options = { resultTypes: ["violations"], ...(rules === undefined ? {} : { runOnly: rules }) };
  const { violations } = await page.evaluate((options) => globalThis.axe.run(document, options), options);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, target }) => `${id}: ${target} ${html.slice(0, 160)}`)
  );
}

/** Every page of `paths` shows its heading and has no violation; returns what was found. */
export async function checkAccessibility({ withPage, axe, base, paths, options, rules }) {
  return await withPage(options, async (page) => {
    const found = [];
    for (const path of paths) {
      await page.goto(base + path);
      await page.waitForSelector("h1");
      found.push(...(await findViolations(page, axe, rules)).map((violation) => `${path} ${violation}`));
    }
    return found;
  });
}

/** Dialogs are part of the page only once they are open. */
export async function checkDialogs({ withPage, axe, base, topic }) {
  return await withPage({}, async (page) => {
    await page.goto(`${base}/topics/${topic}`);
    const found = [];
    await page.keyboard.press("?");
    await page.waitForSelector("#help[open]");
    found.push(...await findViolations(page, axe));
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+k");
    await page.waitForSelector("#palette[open] li");
    found.push(...await findViolations(page, axe));
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Delete", exact: true }).click();
    await page.waitForSelector("#sheet[open] form");
    found.push(...await findViolations(page, axe));
    return found;
  });
}

/** No page is wider than the screen. */
export async function checkNarrow({ withPage, base, paths }) {
  return await withPage({ viewport: { width: 360, height: 740 }, mayFail: "404" }, async (page) => {
    const wide = [];
    for (const path of paths) {
      await page.goto(base + path);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      if (width > 360) wide.push(`${path} is ${width} wide`);
    }
    return wide;
  });
}

/** A published message shows in the figures of its topic, on the page as it is. */
export async function seePublished({ withPage, base, topic, channel, publishAddress }) {
  await withPage({}, async (page) => {
    await page.goto(`${base}/topics/${topic}?q=${channel}`);
    await isLive(page);
    await page.evaluate(() => globalThis.isSamePage = true);
    const before = Number(await page.locator("#channels td[data-label=Waiting]").innerText());
    const answer = await fetch(publishAddress, { method: "POST", body: "one more" });
    assert.equal(answer.status, 200);
    await page.waitForFunction(
      (expected) => document.querySelector("#channels td[data-label=Waiting]")?.innerText === expected,
      String(before + 1),
    );
    assert.equal(await page.evaluate(() => globalThis.isSamePage), true);
  });
}

/** A new topic comes into the table while somebody types into the filter, who keeps text and focus. */
export async function seeNewTopic({ withPage, base, topic, publishAddress }) {
  await withPage({}, async (page) => {
    await page.goto(`${base}/topics`);
    await isLive(page);
    await page.keyboard.press("/");
    await page.keyboard.type(topic);
    await page.getByText("Nothing matches").waitFor();
    assert.equal(new URL(page.url()).searchParams.get("q"), topic);
    await fetch(publishAddress, { method: "POST", body: "the first" });
    await page.getByRole("link", { name: topic }).waitFor();
    const typed = await page.evaluate(() => [document.activeElement.type, document.activeElement.value]);
    assert.deepEqual(typed, ["search", topic]);
  });
}

/** From page to page, to a row and into a dialog, without a mouse. */
export async function useKeyboardOnly({ withPage, base, topic, channel }) {
  await withPage({}, async (page) => {
    await page.goto(base);
    await page.keyboard.press("g");
    await page.keyboard.press("t");
    await page.waitForURL("**/topics");
    await page.keyboard.press("/");
    await page.keyboard.type(`${topic} waiting`);
    await page.getByText("Nothing matches").waitFor();
    await page.keyboard.press("Control+a");
    await page.keyboard.type(topic);
    await page.getByRole("link", { name: topic, exact: true }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/topics/${topic}`);
    await page.keyboard.press("u");
    await page.waitForURL("**/topics");
    await page.keyboard.press("?");
    await page.waitForSelector("#help[open]");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#help:not([open])", { state: "attached" });
    await page.keyboard.press("Control+k");
    await page.keyboard.type(`${topic}/${channel}`);
    await page.locator("#palette li", { hasText: `${topic}/${channel}` }).first().waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/topics/${topic}/${channel}`);
    // Everything that can be pressed is reached by Tab.
    const reached = new Set();
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      reached.add(
        await page.evaluate(() => document.activeElement.innerText?.trim() || document.activeElement.name),
      );
    }
    for (const name of ["Publish", "Pause", "Empty", "Delete", "CSV"]) {
      assert.ok(reached.has(name), `Tab reaches ${name}`);
    }
  });
}

/** Charts move by script, and can be read as a table. */
export async function readCharts({ withPage, base, path }) {
  await withPage({}, async (page) => {
    await page.goto(base + path);
    await isLive(page);
    await page.waitForSelector("#chart-backlog canvas");
    await page.waitForFunction(() =>
      /\d, max \d/.test(document.querySelector("#chart-backlog .legend b").innerText)
    );
    await page.locator("#chart-backlog summary").click();
    await page.waitForFunction(() => document.querySelectorAll("#chart-backlog tbody tr").length > 1);
    await page.selectOption("select[name=range]", "1h");
    await page.waitForURL("**range=1h**");
  });
}

/** Theme and times are kept, and the theme is the browser's own until then. */
export async function chooseDisplay({ withPage, base }) {
  await withPage({ colorScheme: "dark" }, async (page) => {
    const brightness = () =>
      page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.documentElement).backgroundColor)[0]));
    await page.goto(base);
    assert.ok(await brightness() < 60, "dark as the browser");
    await page.locator("#display summary").click();
    await page.selectOption("#display [name=theme]", "light");
    await page.waitForSelector('html[data-theme="light"]');
    assert.ok(await brightness() > 200, "light as chosen");
    await page.locator("#display summary").click();
    await page.selectOption("#display [name=time]", "utc");
    await page.waitForSelector('html[data-time="utc"][data-theme="light"]');
    await page.goto(`${base}/nodes`);
    assert.match(await page.locator("time").first().innerText(), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/);
  });
}

/** On paper there is no rail, header or button. */
export async function print({ withPage, base, path }) {
  await withPage({}, async (page) => {
    await page.goto(base + path);
    await page.emulateMedia({ media: "print" });
    for (const selector of [".rail", ".top", ".actions", ".filter"]) {
      assert.equal(await page.locator(selector).first().isVisible(), false, `${selector} on paper`);
    }
    assert.equal(await page.locator(".data").first().isVisible(), true);
  });
}

/** Without script: every page has its content, and an action its form, its result and its undo. */
export async function useWithoutScript({ withPage, base, paths, topic, channel }) {
  await withPage({ javaScriptEnabled: false, mayFail: "404" }, async (page) => {
    for (const path of paths) {
      await page.goto(base + path);
      await page.locator("h1").first().waitFor({ state: "attached" });
    }
    await page.goto(`${base}/topics?q=${topic}`);
    assert.equal(await page.locator(".data tbody tr").count(), 1);
    await page.goto(`${base}/topics/${topic}/${channel}`);
    assert.ok(
      await page.locator("#chart-backlog svg, #chart-backlog .empty").count() > 0,
      "a drawing by the server",
    );
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.locator("#done", { hasText: `Paused ${topic}/${channel}` }).waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.locator("#done", { hasText: `Undid pause of ${topic}/${channel}` }).waitFor();
    await page.goto(`${base}/act?kind=delete&topic=${topic}&channel=${channel}&back=/topics/${topic}`);
    await page.getByRole("button", { name: "Delete" }).waitFor();
  });
}

/** A node that is gone stays in the tables, with the time of its last figures. */
export async function seeNodeGone({ withPage, base, node, topic }) {
  await withPage({}, async (page) => {
    await page.goto(`${base}/nodes`);
    await page.locator("tr.stale", { hasText: node }).getByText("no data since").waitFor();
    await page.goto(`${base}/topics/${topic}`);
    await page.locator(".broken", { hasText: node }).waitFor();
    await page.locator("#nodes tr.stale", { hasText: node }).waitFor();
    await page.goto(base);
    await page.locator(".attention li", { hasText: node }).waitFor();
  });
}

/** From the list of nodes to the checks; returns the results that there are. */
export async function checkAddresses({ withPage, base }) {
  return await withPage({}, async (page) => {
    await page.goto(`${base}/nodes`);
    await page.getByRole("link", { name: "Check addresses from here" }).click();
    await page.locator(".diagnosis.ok", { hasText: "passed" }).waitFor();
    return [...new Set(await page.locator("td[data-label=Result]").allInnerTexts())];
  });
}

/** Part of a name lists, all of it leads to the page. */
export async function searchByName({ withPage, base, topic, channel }) {
  await withPage({}, async (page) => {
    await page.goto(base);
    await page.getByRole("searchbox", { name: "Search topics" }).fill(topic.slice(0, 4));
    await page.keyboard.press("Enter");
    await page.locator(".matches").getByRole("link", { name: `${topic}/${channel}`, exact: true }).waitFor();
    await page.getByRole("searchbox", { name: "Search topics" }).fill(`${topic}/${channel}`);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/topics/${topic}/${channel}`);
  });
}

/** The table as a file, of all that matches. */
export async function exportTable({ withPage, base, topic }) {
  return await withPage({}, async (page) => {
    await page.goto(`${base}/topics?q=${topic}`);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Topics as CSV" }).click(),
    ]);
    assert.equal(download.suggestedFilename(), "topics.csv");
    const json = await page.request.get(`${base}/topics?q=${topic}&format=json`);
    return await json.json();
  });
}

export * from "./action_scenarios.mjs";
export * from "./letter_scenarios.mjs";
export * from "./login_scenarios.mjs";

/** A console that is away shows, and the page goes on when it is back. */
export async function loseConsole({ withPage, base, topic }) {
  await withPage({ mayFail: "ERR_INTERNET_DISCONNECTED" }, async (page) => {
    await page.goto(`${base}/topics/${topic}`);
    await isLive(page);
    await page.context().setOffline(true);
    await page.evaluate(() => document.getElementById("live").click());
    await page.locator("#live", { hasText: "paused at" }).waitFor();
    await page.evaluate(() => document.getElementById("live").click());
    await page.locator("#live", { hasText: "no data since" }).waitFor();
    await page.context().setOffline(false);
    await isLive(page);
  });
}

/** Keeps a page open, so that the console asks the nodes each second. */
export async function lookFor({ withPage, base, ms }) {
  await withPage({}, async (page) => {
    await page.goto(base);
    await page.waitForTimeout(ms);
  });
}

/** Writes a picture of a page that is live. */
export async function takePicture({ withPage, address, colorScheme, file }) {
  await withPage({ colorScheme, viewport: { width: 1280, height: 860 } }, async (page) => {
    await page.goto(address);
    await isLive(page);
    // Rates of consumers are known from the second look on.
    await page.waitForTimeout(6000);
    await page.screenshot({ path: file });
  });
}
