import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { ClientVerifier } from "../../src/net/client_certificates.ts";
import { pem } from "../wire/upgrade_client.ts";

const NOW_MS = Date.now();
const UNKNOWN = "x509: certificate signed by unknown authority";

function der(name: string): Uint8Array {
  return new X509Certificate(pem(name)).raw;
}

const verifier = new ClientVerifier([pem("ca")]);

/** What is said of a client that shows these. */
function refusal(...names: string[]): string | null {
  return verifier.refusal(names.map(der), NOW_MS);
}

Deno.test("ClientVerifier takes a certificate of a known root, also of X.509 v1, and no other", () => {
  assert.equal(refusal("client"), null);
  assert.equal(refusal("old"), null);
  assert.equal(refusal("stranger"), UNKNOWN);
  assert.equal(new ClientVerifier([]).refusal([der("client")], NOW_MS), UNKNOWN);
});

Deno.test("ClientVerifier goes through the authorities that the client shows, in any order, and needs them", () => {
  assert.equal(refusal("far", "middle"), null);
  assert.equal(refusal("far", "stranger", "middle", "ca"), null);
  assert.equal(refusal("far"), UNKNOWN);
  assert.equal(refusal("far", "stranger"), UNKNOWN);
});

Deno.test("ClientVerifier refuses what an authority was not allowed to sign", () => {
  assert.equal(
    refusal("too_far", "below", "middle"),
    "x509: too many intermediates for path length constraint",
  );
  assert.equal(
    refusal("issued_by_client", "client"),
    "x509: invalid authority certificate: it may not sign others",
  );
});

Deno.test("ClientVerifier refuses the certificate of a server", () => {
  assert.equal(refusal("server"), "x509: certificate specifies an incompatible key usage");
});

Deno.test("ClientVerifier refuses certificates before and after their time", () => {
  const late = Date.UTC(2300, 0, 1), early = Date.UTC(2000, 0, 1);
  assert.match(
    verifier.refusal([der("client")], late)!,
    /^x509: certificate has expired or is not yet valid: current time 2300-01-01T00:00:00Z is after /,
  );
  assert.match(verifier.refusal([der("client")], early)!, /current time 2000-01-01T00:00:00Z is before /);
});

Deno.test("ClientVerifier refuses a certificate whose signature is not that of the root", () => {
  const forged = der("client").slice();
  forged[forged.length - 1] ^= 1;
  assert.equal(verifier.refusal([forged], NOW_MS), UNKNOWN);
  const changed = der("client").slice();
  const at = new TextDecoder("latin1").decode(changed).indexOf("consumer one");
  changed.set(new TextEncoder().encode("consumer two"), at);
  assert.equal(verifier.refusal([changed], NOW_MS), UNKNOWN);
});

Deno.test("ClientVerifier refuses what is no certificate, and nothing at all", () => {
  assert.match(verifier.refusal([Uint8Array.of(48, 1, 0)], NOW_MS)!, /^x509: malformed certificate/);
  assert.equal(verifier.refusal([], NOW_MS), "x509: no certificate");
});

Deno.test("ClientVerifier takes a certificate that is a root itself", () => {
  assert.equal(new ClientVerifier([pem("stranger")]).refusal([der("stranger")], NOW_MS), null);
});

Deno.test("ClientVerifier leaves roots out that it cannot read", () => {
  const damaged = pem("ca").replace(/M/g, "N");
  assert.equal(new ClientVerifier([damaged, pem("ca")]).refusal([der("client")], NOW_MS), null);
});
