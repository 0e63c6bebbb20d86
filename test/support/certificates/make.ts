/**
 * Makes the certificates that tests use: `deno run -A test/support/certificates/make.ts`, with openssl.
 *
 * `ca` signs `server` and `client`, and `middle`, an authority that signs `far`; `old` is a client of X.509 v1;
 * `stranger` is a client of another authority; the keys of `weak` and `koblitz` are none to
 * use. The keys are worth nothing outside of tests.
 */
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const DAYS = "36500";

function openssl(...args: string[]): void {
  const { success, stderr } = new Deno.Command("openssl", { args, cwd: FOLDER, stdout: "null" }).outputSync();
  if (!success) throw new Error(`openssl ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}

const P256 = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

function makeKey(name: string, kind: readonly string[] = P256): void {
  openssl("genpkey", "-algorithm", ...kind, "-out", `${name}_key.pem`);
}

function makeAuthority(name: string, kind = P256): void {
  makeKey(name, kind);
  const subject = `/CN=${name} of the tests`;
  openssl(
    "req",
    "-x509",
    "-new",
    "-key",
    `${name}_key.pem`,
    "-days",
    DAYS,
    "-subj",
    subject,
    "-out",
    `${name}.pem`,
  );
}

const forUse = (usage: string) =>
  `basicConstraints=CA:FALSE
keyUsage=digitalSignature
extendedKeyUsage=${usage}
subjectAltName=DNS:localhost,IP:127.0.0.1
`;
const FOR_AUTHORITY = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n";

/** @param extensions none for X.509 v1 */
function makeCertificate(
  name: string,
  commonName: string,
  extensions: string | null,
  authority: string,
): void {
  makeKey(name);
  Deno.writeTextFileSync(`${FOLDER}${name}.ext`, extensions ?? "");
  openssl("req", "-new", "-key", `${name}_key.pem`, "-subj", `/CN=${commonName}`, "-out", `${name}.csr`);
  const signer = ["-CA", `${authority}.pem`, "-CAkey", `${authority}_key.pem`, "-CAcreateserial"];
  const request = ["-req", "-in", `${name}.csr`, "-days", DAYS];
  if (extensions !== null) request.push("-extfile", `${name}.ext`);
  openssl("x509", ...request, ...signer, "-out", `${name}.pem`);
  for (const leftover of [`${name}.ext`, `${name}.csr`, `${authority}.srl`]) {
    Deno.removeSync(FOLDER + leftover);
  }
}

makeAuthority("ca");
makeAuthority("other_ca");
makeAuthority("weak", ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
makeAuthority("koblitz", ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]);
makeCertificate("server", "localhost", forUse("serverAuth"), "ca");
makeCertificate("client", "consumer one", forUse("clientAuth"), "ca");
makeCertificate("stranger", "stranger", forUse("clientAuth"), "other_ca");
makeCertificate("old", "old consumer", null, "ca");
makeCertificate("middle", "authority in the middle", FOR_AUTHORITY, "ca");
makeCertificate("far", "far consumer", forUse("clientAuth"), "middle");
makeCertificate("below", "authority below", FOR_AUTHORITY, "middle");
makeCertificate("too_far", "consumer below", forUse("clientAuth"), "below");
makeCertificate("issued_by_client", "consumer of a consumer", forUse("clientAuth"), "client");
for (const name of ["ca", "other_ca", "middle", "below", "issued_by_client", "too_far"]) {
  Deno.removeSync(`${FOLDER}${name}_key.pem`);
}
Deno.removeSync(`${FOLDER}other_ca.pem`);
