/** Turns the `tls-*` options into what TLS servers are made from. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import * as tls from "node:tls";
import { type Clock, systemClock } from "../clock/clock.ts";
import { StartupError } from "../log/startup_error.ts";
import { ClientVerifier } from "./client_certificates.ts";

const MIN_RSA_BITS = 2048;
const CURVES: readonly string[] = ["prime256v1", "secp384r1", "secp521r1"];

/** What `node:tls` servers want. */
export interface TlsServerOptions {
  /** PEM; the certificate of this node comes first, then those between it and its root. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** Clients are asked for a certificate. */
  readonly requestCert: boolean;
  /** The handshake does not judge certificates: see `clientRefusal()`. */
  readonly rejectUnauthorized: false;
}

/** The options that say how connections are to be encrypted; `options/tables/upgrade_options.ts` says what each means. */
export interface TlsOptions {
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly tlsRootCaFile: string;
  readonly tlsClientAuthPolicy: string;
  readonly tlsMinVersion: string;
  readonly tlsRequired: boolean | "tcp-https";
}

/** How connections are to be encrypted. */
export interface TlsSettings {
  readonly server: TlsServerOptions;
  /** Who must use it: nobody, clients but not plain HTTP, or everybody. */
  readonly required: "no" | "tcp-https" | "yes";
  /** The certificate that a client must show: none, any at all, or one of a root among `clientRoots`. */
  readonly clientCertificate: "none" | "any" | "verified";
  /** PEM; empty unless certificates are verified. */
  readonly clientRoots: readonly string[];
}

/** What a socket of `node:tls` knows of its peer. */
export interface TlsPeer {
  getPeerCertificate(isDetailed: true): unknown;
}

/** A certificate as `node:tls` shows it: DER, and the one that came next, or itself. */
interface PeerCertificate {
  readonly raw?: Uint8Array;
  readonly issuerCertificate?: PeerCertificate;
}

/**
 * Reads the certificate, the key and the roots. Null when neither certificate nor key is configured.
 *
 * @throws {StartupError} when one of the files is missing, unreadable or does not fit the others, or when
 * TLS is required but cannot be offered
 */
export function loadTlsSettings(options: TlsOptions): TlsSettings | null {
  const required = requirement(options);
  if (options.tlsCert === "" && options.tlsKey === "") {
    if (required === "no") return null;
    throw new StartupError("cannot require TLS client connections without TLS key and cert");
  }
  try {
    return {
      server: serverOptions(options),
      required,
      ...clientPolicy(options),
    };
  } catch (cause) {
    throw new StartupError(`failed to build TLS config - ${(cause as Error).message}`, { cause });
  }
}

/**
 * Reads the root certificates of `tls-root-ca-file` for connections to other servers; null when the
 * option is not set, and then the roots of the system count. PEM.
 *
 * @throws {StartupError} when the file cannot be read or holds no certificate
 */
export function loadRootCertificates(options: TlsOptions): string | null {
  try {
    return readRoots(options);
  } catch (cause) {
    throw new StartupError(`failed to build client TLS config - ${(cause as Error).message}`, { cause });
  }
}

/**
 * Why the client of a socket may not stay, in the words of Go's TLS; null when it may. To be asked once the handshake
 * is done, which shows that the client has the key of its certificate, and no more.
 */
export function clientRefusal(
  peer: TlsPeer,
  settings: TlsSettings,
  clock: Clock = systemClock,
): Error | null {
  if (settings.clientCertificate === "none") return null;
  const chain = certificatesOf(peer);
  if (chain.length === 0) return new Error("tls: client didn't provide a certificate");
  if (settings.clientCertificate === "any") return null;
  const reason = verifierOf(settings.clientRoots).refusal(chain, clock.nowMs());
  return reason === null ? null : new Error(`tls: failed to verify certificate: ${reason}`);
}

/** DER, the client's own first. */
function certificatesOf(peer: TlsPeer): Uint8Array[] {
  const chain: Uint8Array[] = [], seen = new Set<PeerCertificate>();
  let next = peer.getPeerCertificate(true) as PeerCertificate | null | undefined;
  while (next?.raw !== undefined && !seen.has(next)) {
    seen.add(next);
    chain.push(next.raw);
    next = next.issuerCertificate;
  }
  return chain;
}

const VERIFIERS = new WeakMap<readonly string[], ClientVerifier>();

/** One for each list: reading all roots of a system takes milliseconds. */
function verifierOf(roots: readonly string[]): ClientVerifier {
  let verifier = VERIFIERS.get(roots);
  if (verifier === undefined) VERIFIERS.set(roots, verifier = new ClientVerifier(roots));
  return verifier;
}

/** As in Go nsqd, any policy at all makes TLS a must: whoever checks certificates wants no plain clients. */
export function requirement(options: TlsOptions): TlsSettings["required"] {
  if (options.tlsRequired === "tcp-https") return "tcp-https";
  return options.tlsRequired || options.tlsClientAuthPolicy !== "" ? "yes" : "no";
}

function policyOf(options: TlsOptions): "" | "require" | "require-verify" {
  const policy = options.tlsClientAuthPolicy;
  return policy === "require" || policy === "require-verify" ? policy : "";
}

function serverOptions(options: TlsOptions): TlsServerOptions {
  const { tlsCert, tlsKey } = options;
  if (tlsCert === "" || tlsKey === "") {
    throw new Error(
      `tls-cert and tls-key go together, but ${tlsCert === "" ? "tls-cert" : "tls-key"} is not set`,
    );
  }
  const certText = readPem("certificate", tlsCert), keyText = readPem("key", tlsKey);
  // Both may stand in one file, in either order.
  const cert = (certText.match(CERTIFICATES) ?? []).join("\n");
  const key = PRIVATE_KEY.exec(keyText)?.[0] ?? "";
  const minVersion = options.tlsMinVersion === "tls1.3" ? "TLSv1.3" : "TLSv1.2";
  checkPair(cert, tlsCert, key, tlsKey);
  return { cert, key, minVersion, requestCert: policyOf(options) !== "", rejectUnauthorized: false };
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/;

function clientPolicy(options: TlsOptions): Pick<TlsSettings, "clientCertificate" | "clientRoots"> {
  const roots = readRoots(options);
  switch (policyOf(options)) {
    case "":
      return { clientCertificate: "none", clientRoots: [] };
    case "require":
      return { clientCertificate: "any", clientRoots: [] };
    case "require-verify":
      return { clientCertificate: "verified", clientRoots: roots === null ? systemRoots() : [roots] };
  }
}

/** The roots of the machine; of the runtime, where that is too old to know them. */
function systemRoots(): string[] {
  return tls.getCACertificates === undefined ? [...tls.rootCertificates] : tls.getCACertificates("system");
}

function checkPair(cert: string, certPath: string, key: string, keyPath: string): void {
  let certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch (cause) {
    throw new Error(`${certPath} holds no certificate in PEM form`, { cause });
  }
  let privateKey;
  try {
    privateKey = createPrivateKey(key);
  } catch (cause) {
    throw new Error(`${keyPath} holds no private key in PEM form that could be read`, { cause });
  }
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`the key in ${keyPath} does not belong to the certificate in ${certPath}`);
  }
  checkStrength(cert, key, keyPath, privateKey.asymmetricKeyDetails);
}

/** What the runtime's TLS takes; it would refuse others at the first handshake only. */
function checkStrength(
  cert: string,
  key: string,
  keyPath: string,
  details: { modulusLength?: number; namedCurve?: string } | undefined,
): void {
  const { modulusLength, namedCurve } = details ?? {};
  if (modulusLength !== undefined && modulusLength < MIN_RSA_BITS) {
    throw new Error(
      `the key in ${keyPath} is too weak: RSA of ${modulusLength} bits, at least ${MIN_RSA_BITS} are needed`,
    );
  }
  if (namedCurve !== undefined && !CURVES.includes(namedCurve)) {
    throw new Error(`the key in ${keyPath} is on the curve ${namedCurve}; use one of ${CURVES.join(", ")}`);
  }
  try {
    tls.createSecureContext({ cert, key });
  } catch (cause) {
    throw new Error(`the key in ${keyPath} cannot be used: ${(cause as Error).message}`, { cause });
  }
}

function readRoots(options: TlsOptions): string | null {
  const path = options.tlsRootCaFile;
  if (path === "") return null;
  const roots = readPem("root certificates", path);
  const blocks: string[] = roots.match(CERTIFICATES) ?? [];
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch (cause) {
    throw new Error(`failed to append certificate to pool: ${path} holds a damaged one`, { cause });
  }
  if (blocks.length === 0) throw new Error(`failed to append certificate to pool: ${path} holds none`);
  return roots;
}

function readPem(what: string, path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new Error(`cannot read the ${what} from ${path}: ${reason}`, { cause });
  }
}
