/** Actions, from the button to what came of it. */
import assert from "node:assert/strict";

/** The first visit: nothing is there, and the page says what to do. */
export async function seeFirstSteps({ withPage, base }) {
  return await withPage({}, async (page) => {
    await page.goto(base);
    await page.getByText("No topic yet").waitFor();
    return await page.locator(".first-steps code").allInnerTexts();
  });
}

/** Creates a topic with a channel. */
export async function create({ withPage, base, topic, channel }) {
  await withPage({}, async (page) => {
    await page.goto(`${base}/topics`);
    await page.getByRole("link", { name: "Create topic" }).click();
    const sheet = page.locator("#sheet[open]");
    await sheet.getByLabel("Topic").fill("not a name");
    await sheet.getByRole("button", { name: "Create" }).click();
    assert.equal(await sheet.getByLabel("Topic").evaluate((field) => field.validity.valid), false);
    await sheet.getByLabel("Topic").fill(topic);
    await sheet.getByLabel("Channel").fill(channel);
    await sheet.getByRole("button", { name: "Create" }).click();
    await page.locator("#done.ok", { hasText: `Created ${topic}/${channel}` }).waitFor();
    await page.getByRole("link", { name: topic, exact: true }).waitFor();
  });
}

/** Publishes `text` from the form; each line of it as a message when `isLines`. */
export async function publish({ withPage, base, topic, text, isLines, deferSeconds = "" }) {
  return await withPage({}, async (page) => {
    await page.goto(`${base}/publish?topic=${topic}`);
    await page.getByLabel("Message", { exact: true }).fill(text);
    if (isLines) await page.getByLabel("A message for each line").check();
    if (deferSeconds !== "") await page.getByLabel("Hold back").fill(deferSeconds);
    await page.getByRole("button", { name: "Show the command" }).click();
    const command = await page.locator("#look code").innerText();
    assert.equal(await page.getByLabel("Message", { exact: true }).inputValue(), text);
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.locator("#done.ok").waitFor();
    const drafts = page.locator("#drafts button");
    assert.ok((await drafts.first().innerText()).startsWith(`${topic}: `));
    await drafts.first().click();
    assert.equal(await page.getByLabel("Message", { exact: true }).inputValue(), text);
    return command;
  });
}

/** An empty message is refused with the reason. */
export async function publishNothing({ withPage, base }) {
  await withPage({}, async (page) => {
    await page.goto(`${base}/publish?topic=orders`);
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByRole("alert").getByText("the message is empty").waitFor();
  });
}

/** Pauses at once, sees it on the page, and undoes it. */
export async function pauseAndUndo({ withPage, base, path, name }) {
  await withPage({}, async (page) => {
    await page.goto(base + path);
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.locator("#done.ok", { hasText: `Paused ${name}` }).waitFor();
    await page.locator(".page-head .badge", { hasText: "paused" }).waitFor();
    await page.getByRole("button", { name: "Unpause", exact: true }).waitFor();
    await page.locator("#done").getByRole("button", { name: "Undo" }).click();
    await page.locator("#done.ok", { hasText: `Undid pause of ${name}` }).waitFor();
    assert.equal(new URL(page.url()).pathname, path);
    await page.getByRole("button", { name: "Pause", exact: true }).waitFor();
  });
}

/** Pauses and unpauses with the two buttons. */
export async function pauseAndUnpause({ withPage, base, path, name }) {
  await withPage({}, async (page) => {
    await page.goto(base + path);
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByRole("button", { name: "Unpause", exact: true }).click();
    await page.locator("#done.ok", { hasText: `Unpaused ${name}` }).waitFor();
    await page.getByRole("button", { name: "Pause", exact: true }).waitFor();
  });
}

/** Empties after a look at what it would touch; returns what the form said. */
export async function empty({ withPage, base, path, name }) {
  return await withPage({}, async (page) => {
    await page.goto(base + path);
    await page.getByRole("link", { name: "Empty", exact: true }).click();
    const sheet = page.locator("#sheet[open]");
    const text = await sheet.innerText();
    await sheet.getByText("The same from a terminal").click();
    const command = await sheet.locator("code").innerText();
    const confirm = sheet.locator("[data-confirm]");
    if (await confirm.count() > 0) await confirm.fill(await confirm.getAttribute("data-confirm"));
    await sheet.getByRole("button", { name: `Empty ${name}` }).click();
    await page.locator("#done.ok", { hasText: `Emptied ${name}` }).waitFor();
    return { text, command };
  });
}

/** Deletes after typing the name; the button waits for it. */
export async function deleteByName({ withPage, base, path, name, typed }) {
  await withPage({ mayFail: "404" }, async (page) => {
    await page.goto(base + path);
    await page.getByRole("link", { name: "Delete", exact: true }).click();
    const sheet = page.locator("#sheet[open]");
    const button = sheet.getByRole("button", { name: `Delete ${name}` });
    assert.equal(await button.isDisabled(), true);
    await sheet.locator("[data-confirm]").fill(typed.slice(0, -1));
    assert.equal(await button.isDisabled(), true);
    await sheet.locator("[data-confirm]").fill(typed);
    await button.click();
    await page.locator("#done.ok", { hasText: `Deleted ${name}` }).waitFor();
    await page.goto(base + path);
    await page.getByRole("heading", { name: /^No (topic|channel) / }).waitFor();
  });
}

/** The server itself asks for the name, whatever the browser does. */
export async function deleteWithWrongName({ withPage, base, topic }) {
  await withPage({ javaScriptEnabled: false }, async (page) => {
    await page.goto(`${base}/act?kind=delete&topic=${topic}&back=/topics/${topic}`);
    await page.locator("[name=confirm]").fill("another");
    await page.getByRole("button", { name: `Delete ${topic}` }).click();
    await page.getByRole("alert").getByText('"another" is not the name').waitFor();
  });
}

/** Takes a topic of one node away from the lookupds. */
export async function tombstone({ withPage, base, topic, node }) {
  await withPage({}, async (page) => {
    await page.goto(`${base}/topics/${topic}`);
    await page.locator("#nodes").getByRole("link", { name: /^Tombstone ./ }).click();
    const sheet = page.locator("#sheet[open]");
    await sheet.getByText(node).first().waitFor();
    const confirm = sheet.locator("[data-confirm]");
    if (await confirm.count() > 0) await confirm.fill(await confirm.getAttribute("data-confirm"));
    await sheet.getByRole("button", { name: `Tombstone ${topic} of ${node}` }).click();
    await page.locator("#done.ok", { hasText: "Tombstoned" }).waitFor();
  });
}

/** What was done is in the activity, the newest first, with what came of it on each server. */
export async function readActivity({ withPage, base }) {
  return await withPage({}, async (page) => {
    await page.goto(`${base}/activity`);
    const titles = await page.locator("tbody th").allInnerTexts();
    await page.locator("tbody th a").first().click();
    await page.getByRole("heading", { name: "On each server" }).waitFor();
    return titles.map((title) => title.replace(/^\w+\s*\n/, "").trim());
  });
}

/** An action that fails on a node says so, with the reason. */
export async function actOnNodeThatHangs({ withPage, base, path, node }) {
  await withPage({}, async (page) => {
    await page.goto(base + path);
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.locator("#done.critical", { hasText: node }).waitFor();
  });
}

/** What has to be typed before the delete at `path`. */
export async function nameToType({ withPage, base, path }) {
  return await withPage({}, async (page) => {
    await page.goto(base + path);
    await page.getByRole("link", { name: "Delete", exact: true }).click();
    return await page.locator("#sheet[open] [data-confirm]").getAttribute("data-confirm");
  });
}
