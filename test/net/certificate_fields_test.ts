import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readCertificateFields } from "../../src/net/certificate_fields.ts";
import { Random } from "../support/random.ts";
import { pem } from "../wire/upgrade_client.ts";

const ECDSA_SHA256 = "1.2.840.10045.4.3.2";

function der(name: string): Uint8Array {
  return new X509Certificate(pem(name)).raw;
}

Deno.test("readCertificateFields() reads what a certificate may be used for", () => {
  const plain = {
    version: 3,
    signatureAlgorithm: ECDSA_SHA256,
    isAuthority: false,
    maxPathLength: Infinity,
    purposes: null,
    hasNameConstraints: false,
    unknownCritical: [],
  };
  assert.deepEqual(readCertificateFields(der("client")), { ...plain, purposes: ["1.3.6.1.5.5.7.3.2"] });
  assert.deepEqual(readCertificateFields(der("server")), { ...plain, purposes: ["1.3.6.1.5.5.7.3.1"] });
  assert.deepEqual(readCertificateFields(der("old")), { ...plain, version: 1 });
  assert.deepEqual(readCertificateFields(der("ca")), { ...plain, isAuthority: true });
  assert.deepEqual(readCertificateFields(der("middle")), { ...plain, isAuthority: true, maxPathLength: 0 });
});

Deno.test("readCertificateFields() throws a RangeError for what is no certificate, wherever it is damaged", () => {
  const random = new Random(7), whole = der("middle");
  for (let i = 0; i < 3000; i++) {
    const damaged = whole.slice(0, random.chance(0.3) ? random.int(whole.length) : whole.length);
    for (let j = 0; j < 3 && damaged.length > 0; j++) damaged[random.int(damaged.length)] = random.int(256);
    try {
      readCertificateFields(damaged);
    } catch (error) {
      assert.ok(error instanceof RangeError, `${error}`);
    }
  }
});
