/** Addresses, and what stands between a browser and the console. */
import assert from "node:assert/strict";
import type { Hono } from "hono";
import type { Console, ConsoleEnv } from "../../../src/admin/console.ts";
import { writeUsersFile } from "../../../src/admin/access/users_file.ts";
import { hashPassword } from "../../../src/admin/access/password.ts";
import { startAdmin, type TestAdmin } from "../fixtures.ts";

const LOOKUPD = "--lookupd-http-address=127.0.0.1:1";

/** Pages that say who asks, a form that logs in, and one that does something. */
function mountPages(app: Hono<ConsoleEnv>, console: Console): void {
  app.get("/", (context) => context.html(`index for ${context.get("user").name}`));
  app.get("/topics/:topic", (context) => context.html(`topic ${context.req.param("topic")}`));
  app.get("/login", (context) => context.html("login"));
  app.post("/login", async (context) => {
    const form = await context.req.parseBody();
    const result = await console.login(context, String(form.name), String(form.password));
    return context.text(result.isOk ? "welcome" : result.reason, result.isOk ? 200 : 403);
  });
  app.post("/logout", (context) => {
    console.logout(context);
    return context.text("bye");
  });
  app.post("/topics/:topic", (context) => context.text("done"));
  app.get("/fault", () => {
    throw new Error("a fault");
  });
}

async function withAdmin(run: (admin: TestAdmin) => Promise<void>, ...flags: string[]): Promise<void> {
  await using admin = await startAdmin([LOOKUPD, ...flags], { mountPages });
  await run(admin);
}

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

Deno.test("unknown paths, wrong methods, HEAD and other spellings are answered as by NSQ's other APIs", async () => {
  await withAdmin(async (admin) => {
    assert.equal(await admin.ask("GET", "/nope"), '404 {"message":"NOT_FOUND"}');
    const wrong = await admin.request("PUT", "/api/topics");
    assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "GET, OPTIONS, POST"]);
    assert.equal(await wrong.text(), '{"message":"METHOD_NOT_ALLOWED"}');
    const head = await admin.request("HEAD", "/ping");
    assert.deepEqual([head.status, head.headers.get("allow")], [405, "GET, OPTIONS"]);
    const table: [method: string, path: string, status: number, location: string][] = [
      ["GET", "/Topics/", 301, "/topics"],
      ["GET", "/topics/orders/", 301, "/topics/orders"],
      ["GET", "/API/topics?inactive=true", 301, "/api/topics?inactive=true"],
      ["POST", "/api/topics/", 307, "/api/topics"],
    ];
    for (const [method, path, status, location] of table) {
      const response = await admin.request(method, path);
      await response.body?.cancel();
      assert.deepEqual([response.status, response.headers.get("location")], [status, location], path);
    }
  });
});

Deno.test("--base-path stands before every address, in whatever form it is given", async () => {
  for (const base of ["adm", "/adm/", "//x/../adm"]) {
    await withAdmin(async (admin) => {
      assert.equal(await admin.ask("GET", "/adm"), "200 index for ");
      assert.equal(await admin.ask("GET", "/adm/ping"), "200 OK");
      assert.equal(await admin.ask("GET", "/adm/topics/a%23b"), "200 topic a#b");
      assert.equal(await admin.ask("GET", "/ping"), '404 {"message":"NOT_FOUND"}');
      const slash = await admin.request("GET", "/adm/");
      await slash.body?.cancel();
      assert.deepEqual([slash.status, slash.headers.get("location")], [301, "/adm"]);
    }, `--base-path=${base}`);
  }
});

Deno.test("a page that fails is an error with its trace in the log, and goes on serving", async () => {
  await withAdmin(async (admin) => {
    assert.equal(await admin.ask("GET", "/fault"), '500 {"message":"INTERNAL_ERROR"}');
    assert.match(admin.lines.join(""), /ERROR: HTTP: failed to answer GET \/fault - Error: a fault\\n +at /);
    assert.equal(await admin.ask("GET", "/"), "200 index for ");
    assert.match(admin.lines.join(""), /INFO: 200 GET \/ \(127\.0\.0\.1:\d+\) /);
  });
});

Deno.test("every answer carries the headers that keep a browser from doing what nobody asked for", async () => {
  await withAdmin(async (admin) => {
    const nonces = new Set<string>();
    for (const path of ["/", "/api/nodes", "/nope"]) {
      const response = await admin.request("GET", path);
      await response.body?.cancel();
      const policy = response.headers.get("content-security-policy")!;
      assert.match(policy, /default-src 'none'; script-src 'self' 'nonce-[^']+'; style-src 'self' 'nonce-/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /unsafe/);
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      assert.equal(response.headers.get("x-frame-options"), "DENY");
      nonces.add(/nonce-([^']+)/.exec(policy)![1]);
    }
    assert.equal(nonces.size, 3, "a nonce is used once");
  });
  await withAdmin(async (admin) => {
    const response = await admin.request("GET", "/");
    await response.body?.cancel();
    assert.match(
      response.headers.get("content-security-policy")!,
      /img-src 'self' data: http:\/\/graphite:8080/,
    );
  }, "--graphite-url=http://graphite:8080/x");
});

Deno.test("a browser changes nothing from another site, and programs need not say where they are", async () => {
  const bodies: [headers: Record<string, string>, isLetThrough: boolean][] = [
    [{}, true],
    [{ "Origin": "HERE" }, true],
    [{ "Sec-Fetch-Site": "same-origin" }, true],
    [{ "Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy" }, true],
    [{ "Origin": "http://evil.example" }, false],
    [{ "Origin": "null" }, false],
    [{ "Sec-Fetch-Site": "cross-site" }, false],
    [{ "Sec-Fetch-Site": "same-site", "Origin": "http://evil.example" }, false],
    [{ "Sec-Fetch-Site": "cross-site", "Origin": "HERE" }, false],
    [{ "Cookie": "nsqadmin=x" }, false],
  ];
  await withAdmin(async (admin) => {
    for (const [headers, isLetThrough] of bodies) {
      const sent = { ...headers, ...(headers.Origin === "HERE" ? { Origin: admin.url } : {}) };
      const form = await admin.ask("POST", "/topics/orders", "action=pause", { ...FORM, ...sent });
      assert.equal(form.slice(0, 3), isLetThrough ? "200" : "403", JSON.stringify(headers));
      const json = await admin.ask("POST", "/api/topics", "{}", { "Content-Type": "text/plain", ...sent });
      assert.equal(json.slice(0, 3), isLetThrough ? "400" : "403", JSON.stringify(headers));
    }
  });
});

Deno.test("a console of this machine alone takes no change for a name that is not its own", async () => {
  await withAdmin(async (admin) => {
    const port = admin.admin.httpAddress.split(":")[1];
    const post = async (host: string) => {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
      const body = "{}";
      const text =
        `POST /api/topics HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
      await conn.write(new TextEncoder().encode(text));
      return (await new Response(conn.readable).text()).slice(9, 12);
    };
    assert.equal(await post(`localhost:${port}`), "400");
    assert.equal(await post(`127.0.0.1:${port}`), "400");
    assert.equal(await post(`rebound.example:${port}`), "403");
  });
});

Deno.test("answers are compressed by what a client names first", async () => {
  await withAdmin(async (admin) => {
    for (const [accepted, encoding] of [["gzip", "gzip"], ["deflate, gzip", "deflate"], ["br", null]]) {
      const response = await fetch(`${admin.url}/nope`, { headers: { "Accept-Encoding": accepted! } });
      await response.body?.cancel();
      // The client undoes what it knows, and takes the header away with it.
      assert.match(response.headers.get("vary") ?? "", /Accept-Encoding/i);
      if (encoding === null) assert.equal(response.headers.get("content-encoding"), null);
    }
  });
});

async function withUsers(
  run: (admin: TestAdmin, file: string) => Promise<void>,
  ...flags: string[]
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/users.json`;
    const password = await hashPassword("correct horse");
    writeUsersFile(file, [
      { name: "ann", role: "admin", canViewBodies: true, password },
      { name: "vic", role: "viewer", canViewBodies: false, password },
    ]);
    await withAdmin((admin) => run(admin, file), `--users-file=${file}`, ...flags);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function login(admin: TestAdmin, name: string, password: string, headers = {}) {
  const body = `name=${name}&password=${encodeURIComponent(password)}`;
  const response = await admin.request("POST", "/login", body, { ...FORM, Origin: admin.url, ...headers });
  const text = await response.text();
  return { status: response.status, text, cookie: response.headers.get("set-cookie") };
}

Deno.test("with users a page leads to the login, everything else needs one, and probes do not", async () => {
  await withUsers(async (admin) => {
    const page = await admin.request("GET", "/topics/orders?x=1", undefined, { Accept: "text/html" });
    await page.body?.cancel();
    assert.deepEqual([page.status, page.headers.get("location")], [
      303,
      "/login?next=%2Ftopics%2Forders%3Fx%3D1",
    ]);
    assert.equal(await admin.ask("GET", "/login"), "200 login");
    assert.equal(await admin.ask("GET", "/ping"), "200 OK");
    for (
      const [method, path] of [["GET", "/api/topics"], ["POST", "/api/topics"], ["GET", "/config/log_level"]]
    ) {
      const response = await admin.request(method, path, undefined, { Accept: "text/html" });
      assert.equal(`${response.status} ${await response.text()}`, '401 {"message":"UNAUTHORIZED"}', path);
      assert.match(response.headers.get("www-authenticate")!, /^Basic /);
    }
  });
});

Deno.test("a login begins a session that a script of the page cannot read, and a logout ends it", async () => {
  await withUsers(async (admin) => {
    const { status, cookie } = await login(admin, "ann", "correct horse");
    assert.equal(status, 200);
    assert.match(cookie!, /^nsqadmin=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Lax$/);
    const headers = { Cookie: cookie!.split(";")[0], Origin: admin.url };
    assert.equal(await admin.ask("GET", "/", undefined, headers), "200 index for ann");
    assert.equal(await admin.ask("POST", "/logout", "", { ...headers, ...FORM }), "200 bye");
    assert.equal((await admin.ask("GET", "/", undefined, headers)).slice(0, 3), "401");
    assert.equal((await login(admin, "ann", "wrong")).text, "wrong");
    assert.equal((await login(admin, "nobody", "correct horse")).text, "wrong");
    const log = admin.lines.filter((line) => line.includes("AUDIT")).join("");
    assert.match(log, /AUDIT: ann \(127\.0\.0\.1:\d+\) login - ok/);
    assert.match(log, /AUDIT: nobody \(127\.0\.0\.1:\d+\) login - "wrong password"/);
    assert.doesNotMatch(admin.lines.join(""), /correct horse|correct%20horse/);
  });
});

Deno.test("behind TLS the cookie of a session is the host's own", async () => {
  await withUsers(async (admin) => {
    const { cookie } = await login(admin, "ann", "correct horse", { "X-Forwarded-Proto": "https" });
    assert.match(cookie!, /^__Host-nsqadmin=[\w-]{43}; .*Secure/);
    const headers = { Cookie: cookie!.split(";")[0] };
    assert.equal(await admin.ask("GET", "/", undefined, headers), "200 index for ann");
  });
});

Deno.test("scripts log in with each request, and may do what their role allows", async () => {
  await withUsers(async (admin) => {
    const basic = (name: string, password = "correct horse") => ({
      Authorization: `Basic ${btoa(`${name}:${password}`)}`,
    });
    assert.match(await admin.ask("GET", "/api/topics", undefined, basic("vic")), /^502 .*UPSTREAM/);
    assert.equal(await admin.ask("POST", "/api/topics", "{}", basic("vic")), '403 {"message":"FORBIDDEN"}');
    assert.equal(
      await admin.ask("POST", "/api/topics", "{}", basic("ann")),
      '400 {"message":"INVALID_TOPIC"}',
    );
    assert.match(await admin.ask("GET", "/api/topics", undefined, basic("ann", "x")), /^401/);
    assert.equal(
      await admin.ask("PUT", "/config/log_level", "debug", basic("vic")),
      '403 {"message":"FORBIDDEN"}',
    );
    assert.equal(await admin.ask("PUT", "/config/log_level", "info", basic("ann")), "200 2");
    const many = await Promise.all(
      Array(12).fill(0).map(() => admin.ask("GET", "/config/log_level", undefined, basic("ann"))),
    );
    assert.deepEqual(new Set(many), new Set(["200 2"]));
  });
});

Deno.test("who is taken out of the users file is out, and who gets another role has it", async () => {
  await withUsers(async (admin, file) => {
    const { cookie } = await login(admin, "ann", "correct horse");
    const headers = { Cookie: cookie!.split(";")[0], Origin: admin.url };
    assert.equal(await admin.ask("POST", "/api/topics", "{}", headers), '400 {"message":"INVALID_TOPIC"}');
    const { users: [ann, vic] } = JSON.parse(await Deno.readTextFile(file));
    const write = async (users: unknown[]) => {
      await Deno.writeTextFile(file, JSON.stringify({ users }));
      // The file is looked at again when a second has passed.
      await new Promise((resolve) => setTimeout(resolve, 1_100));
    };
    await write([{ ...ann, role: "viewer" }, vic]);
    assert.equal(await admin.ask("POST", "/api/topics", "{}", headers), '403 {"message":"FORBIDDEN"}');
    await write([vic]);
    assert.equal((await admin.ask("GET", "/", undefined, headers)).slice(0, 3), "401");
    await Deno.writeTextFile(file, "{");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    assert.equal((await login(admin, "vic", "correct horse")).text, "wrong");
    assert.match(admin.lines.join(""), /ERROR: nobody can log in: failed to read users - .*users\.json: /);
  });
});

Deno.test("somebody who guesses passwords has to wait, and so has who asks for that name", async () => {
  await withUsers(async (admin) => {
    for (let tries = 0; tries < 5; tries++) {
      assert.equal((await login(admin, "ann", `guess ${tries}`)).text, "wrong");
    }
    assert.equal((await login(admin, "ann", "correct horse")).text, "throttled");
  });
});
