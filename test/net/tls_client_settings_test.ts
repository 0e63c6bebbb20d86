import assert from "node:assert/strict";
import { StartupError } from "../../src/log/startup_error.ts";
import { loadTlsClientSettings, type TlsClientFiles } from "../../src/net/tls_client_settings.ts";
import { pem, pemPath } from "../wire/upgrade_client.ts";

const NONE: TlsClientFiles = { rootCaFile: "", certFile: "", keyFile: "" };

function failure(files: Partial<TlsClientFiles>): string {
  try {
    loadTlsClientSettings({ ...NONE, ...files });
  } catch (cause) {
    assert.ok(cause instanceof StartupError);
    return cause.message;
  }
  assert.fail(`no error for ${JSON.stringify(files)}`);
}

Deno.test("loadTlsClientSettings() trusts the roots of the system, shows nothing and verifies, unless told otherwise", () => {
  assert.deepEqual(loadTlsClientSettings(NONE), {
    rootCertificates: null,
    identity: null,
    minVersion: "TLSv1.2",
    isVerified: true,
  });
});

Deno.test("loadTlsClientSettings() reads the files that it is given", () => {
  const settings = loadTlsClientSettings({
    rootCaFile: pemPath("ca"),
    certFile: pemPath("client"),
    keyFile: pemPath("client_key"),
    isVerified: false,
    minVersion: "TLSv1.3",
  });
  assert.equal(settings.rootCertificates, pem("ca"));
  assert.deepEqual(settings.identity, { cert: pem("client"), key: pem("client_key") });
  assert.deepEqual([settings.minVersion, settings.isVerified], ["TLSv1.3", false]);
});

Deno.test("loadTlsClientSettings() says which file cannot be used", () => {
  const notPem = pemPath("client_key");
  assert.equal(
    failure({ certFile: pemPath("client") }),
    "a TLS certificate and its key go together, but only one of them is set",
  );
  assert.equal(
    failure({ rootCaFile: "/nowhere" }),
    "cannot read the root certificates from /nowhere: there is no such file",
  );
  assert.equal(
    failure({ certFile: notPem, keyFile: notPem }),
    `cannot use the certificate from ${notPem}: it holds none in PEM form`,
  );
});
