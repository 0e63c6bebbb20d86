/**
 * Makes the certificates that tests use: `deno run -A test/support/certificates/make.ts`, with openssl.
 *
 * `ca` signs `server` and `client`; `stranger` is a client of another authority. The keys are worth
 * nothing outside of tests. All are X.509 v3: without clientAuth a handshake is dropped.
 */
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const DAYS = "36500";

function openssl(...args: string[]): void {
  const { success, stderr } = new Deno.Command("openssl", { args, cwd: FOLDER, stdout: "null" }).outputSync();
  if (!success) throw new Error(`openssl ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}

function makeKey(name: string): void {
  openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", `${name}_key.pem`);
}

function makeAuthority(name: string): void {
  makeKey(name);
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

function makeCertificate(name: string, commonName: string, usage: string, authority: string): void {
  makeKey(name);
  const extensions = `basicConstraints=CA:FALSE
keyUsage=digitalSignature
extendedKeyUsage=${usage}
subjectAltName=DNS:localhost,IP:127.0.0.1
`;
  Deno.writeTextFileSync(`${FOLDER}${name}.ext`, extensions);
  openssl("req", "-new", "-key", `${name}_key.pem`, "-subj", `/CN=${commonName}`, "-out", `${name}.csr`);
  const signer = ["-CA", `${authority}.pem`, "-CAkey", `${authority}_key.pem`, "-CAcreateserial"];
  const request = ["-req", "-in", `${name}.csr`, "-days", DAYS, "-extfile", `${name}.ext`];
  openssl("x509", ...request, ...signer, "-out", `${name}.pem`);
  for (const leftover of [`${name}.ext`, `${name}.csr`, `${authority}.srl`]) {
    Deno.removeSync(FOLDER + leftover);
  }
}

makeAuthority("ca");
makeAuthority("other_ca");
makeCertificate("server", "localhost", "serverAuth", "ca");
makeCertificate("client", "consumer one", "clientAuth", "ca");
makeCertificate("stranger", "stranger", "clientAuth", "other_ca");
Deno.removeSync(`${FOLDER}ca_key.pem`);
Deno.removeSync(`${FOLDER}other_ca_key.pem`);
Deno.removeSync(`${FOLDER}other_ca.pem`);
