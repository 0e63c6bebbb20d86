import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { StartupError } from "../../src/log/startup_error.ts";
import { loadRootCertificates, loadTlsSettings } from "../../src/net/tls_settings.ts";
import { resolveOptions } from "../../src/options/merge.ts";
import { type NsqdOptions, nsqdOptions } from "../../src/options/tables/nsqd_options.ts";

const folder = fileURLToPath(new URL("../support/certificates/", import.meta.url));
const cert = `--tls-cert=${folder}server.pem`, key = `--tls-key=${folder}server_key.pem`;

function options(...flags: string[]): NsqdOptions {
  const resolved = resolveOptions(nsqdOptions, flags, { name: "nsqd", summary: "", versionText: "" });
  if (resolved.kind === "exit") assert.fail(resolved.text);
  return resolved.values;
}

function load(...flags: string[]) {
  return loadTlsSettings(options(...flags));
}

function failure(...flags: string[]): string {
  try {
    load(...flags);
  } catch (cause) {
    assert.ok(cause instanceof StartupError);
    return cause.message.replaceAll(folder, "");
  }
  assert.fail(`no error for ${flags.join(" ")}`);
}

Deno.test("loadTlsSettings() gives null without certificate and key, and then TLS cannot be required", () => {
  assert.equal(load(), null);
  assert.equal(load("--tls-root-ca-file=/nowhere"), null);
  for (const flag of ["--tls-required", "--tls-required=tcp-https", "--tls-client-auth-policy=anything"]) {
    assert.equal(failure(flag), "cannot require TLS client connections without TLS key and cert");
  }
});

Deno.test("loadTlsSettings() reads certificate and key", () => {
  const settings = load(cert, key)!;
  assert.match(settings.server.cert, /^-----BEGIN CERTIFICATE-----/);
  assert.match(settings.server.key, /PRIVATE KEY-----/);
  assert.equal(settings.server.minVersion, "TLSv1.2");
  assert.equal(settings.server.requestCert, false);
  assert.equal(settings.clientCertificate, "none");
  assert.equal(settings.required, "no");
});

Deno.test("loadTlsSettings() follows tls-required, and takes any client policy for tls-required", () => {
  const table: [string[], string][] = [
    [["--tls-required"], "yes"],
    [["--tls-required=tcp-https"], "tcp-https"],
    [["--tls-required=false"], "no"],
    [["--tls-client-auth-policy=require"], "yes"],
    [["--tls-client-auth-policy=unknown"], "yes"],
    [["--tls-client-auth-policy=require", "--tls-required=tcp-https"], "tcp-https"],
  ];
  for (const [flags, required] of table) assert.equal(load(cert, key, ...flags)!.required, required);
});

Deno.test("loadTlsSettings() asks for client certificates as the policy says", () => {
  const roots = `--tls-root-ca-file=${folder}ca.pem`;
  const any = load(cert, key, roots, "--tls-client-auth-policy=require")!;
  assert.deepEqual([any.server.requestCert, any.clientCertificate, any.clientRoots], [true, "any", []]);
  const known = load(cert, key, roots, "--tls-client-auth-policy=require-verify")!;
  assert.deepEqual([known.server.requestCert, known.clientCertificate], [true, "verified"]);
  assert.deepEqual(known.clientRoots, [Deno.readTextFileSync(`${folder}ca.pem`)]);
  const unknown = load(cert, key, roots, "--tls-client-auth-policy=none")!;
  assert.deepEqual([unknown.server.requestCert, unknown.clientCertificate], [false, "none"]);
});

Deno.test("loadTlsSettings() takes certificate and key from one file, in either order", () => {
  const directory = Deno.makeTempDirSync(), file = `${directory}/both.pem`;
  try {
    const [certificate, privateKey, root] = ["server", "server_key", "ca"].map((name) =>
      Deno.readTextFileSync(`${folder}${name}.pem`)
    );
    for (const parts of [[certificate, root, privateKey], [privateKey, certificate, root]]) {
      Deno.writeTextFileSync(file, `of a tool: a comment\n${parts.join("")}`);
      const { server } = load(`--tls-cert=${file}`, `--tls-key=${file}`)!;
      assert.equal(server.cert.match(/BEGIN CERTIFICATE/g)!.length, 2);
      assert.doesNotMatch(server.cert, /PRIVATE/);
      assert.equal(server.key.trim(), privateKey.trim());
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("loadTlsSettings() says that a key is too weak, or on a curve that cannot be used", () => {
  const table: [string, RegExp][] = [
    ["weak", /the key in weak_key\.pem is too weak: RSA of 1024 bits, at least 2048 are needed$/],
    ["koblitz", /the key in koblitz_key\.pem is on the curve secp256k1; use one of prime256v1, /],
  ];
  for (const [name, reason] of table) {
    assert.match(failure(`--tls-cert=${folder}${name}.pem`, `--tls-key=${folder}${name}_key.pem`), reason);
  }
});

Deno.test("loadTlsSettings() speaks TLS 1.2 where an older version is allowed", () => {
  for (const version of ["tls1.0", "TLS1.1", "tls1.2", ""]) {
    assert.equal(load(cert, key, `--tls-min-version=${version}`)!.server.minVersion, "TLSv1.2", version);
  }
  assert.equal(load(cert, key, "--tls-min-version=tls1.3")!.server.minVersion, "TLSv1.3");
});

Deno.test("loadTlsSettings() says which file cannot be used", () => {
  const lead = "failed to build TLS config - ";
  const roots = (name: string) => `--tls-root-ca-file=${folder}${name}`;
  const table: [string[], string][] = [
    [[cert], "tls-cert and tls-key go together, but tls-key is not set"],
    [[key], "tls-cert and tls-key go together, but tls-cert is not set"],
    [["--tls-cert=/nowhere", key], "cannot read the certificate from /nowhere: there is no such file"],
    [[cert, "--tls-key=/nowhere"], "cannot read the key from /nowhere: there is no such file"],
    [[`--tls-cert=${folder}make.ts`, key], "make.ts holds no certificate in PEM form"],
    [[cert, `--tls-key=${folder}make.ts`], "make.ts holds no private key in PEM form that could be read"],
    [
      [cert, `--tls-key=${folder}client_key.pem`],
      "the key in client_key.pem does not belong to the certificate in server.pem",
    ],
    [[cert, key, roots("make.ts")], "failed to append certificate to pool: make.ts holds none"],
    [
      [cert, key, roots("none.pem")],
      "cannot read the root certificates from none.pem: there is no such file",
    ],
  ];
  for (const [flags, reason] of table) assert.equal(failure(...flags), lead + reason);
});

Deno.test("loadRootCertificates() reads the roots for other servers, with or without TLS of our own", () => {
  assert.equal(loadRootCertificates(options()), null);
  const file = `${folder}ca.pem`;
  assert.equal(loadRootCertificates(options(`--tls-root-ca-file=${file}`)), Deno.readTextFileSync(file));
  assert.throws(
    () => loadRootCertificates(options("--tls-root-ca-file=/nowhere")),
    {
      name: "StartupError",
      message: /^failed to build client TLS config - cannot read the root certificates/,
    },
  );
});
