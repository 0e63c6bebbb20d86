/** Turns the `tls-*` options into what TLS servers are made from. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import * as tls from "node:tls";
import { StartupError } from "../log/startup_error.ts";

/** What `node:tls` and `node:https` servers want. */
export interface TlsServerOptions {
  /** PEM; the certificate of this node comes first. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** Roots for the certificates of clients, PEM. */
  readonly ca?: string | string[];
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** Clients are asked for a certificate. */
  readonly requestCert: boolean;
  /** A client is refused during the handshake when its certificate is missing or not by one of `ca`. */
  readonly rejectUnauthorized: boolean;
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
  /**
   * A client must show some certificate, whoever signed it. The handshake does not see to that: the
   * socket is to be destroyed after it unless `showsCertificate()`.
   */
  readonly anyCertificateRequired: boolean;
}

/** What a socket of `node:tls` knows of its peer. */
export interface TlsPeer {
  getPeerCertificate(): unknown;
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
      anyCertificateRequired: policyOf(options) === "require",
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

/** Lets clients with a certificate through where the handshake alone does not check that. */
export function showsCertificate(peer: TlsPeer): boolean {
  const certificate = peer.getPeerCertificate();
  return typeof certificate === "object" && certificate !== null && Object.keys(certificate).length > 0;
}

/** As in the original, any policy at all makes TLS a must: whoever checks certificates wants no plain clients. */
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
  const cert = readPem("certificate", tlsCert), key = readPem("key", tlsKey);
  checkPair(cert, tlsCert, key, tlsKey);
  const roots = readRoots(options), policy = policyOf(options);
  const isVerified = policy === "require-verify";
  return {
    cert,
    key,
    ...(isVerified ? { ca: roots ?? systemRoots() } : {}),
    minVersion: options.tlsMinVersion === "tls1.3" ? "TLSv1.3" : "TLSv1.2",
    requestCert: policy !== "",
    rejectUnauthorized: isVerified,
  };
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
}

function readRoots(options: TlsOptions): string | null {
  const path = options.tlsRootCaFile;
  if (path === "") return null;
  const roots = readPem("root certificates", path);
  const blocks = roots.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
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
