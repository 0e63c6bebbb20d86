/** What TLS clients are made from: whom they trust, and the certificate that they show. */
import { X509Certificate } from "node:crypto";
import { StartupError } from "../log/startup_error.ts";

export interface TlsClientSettings {
  /** Roots for the certificate of the server, PEM; null for those of the system. */
  readonly rootCertificates: string | null;
  /** Certificate (this client's first) and key, PEM; null to show none. */
  readonly identity: { readonly cert: string; readonly key: string } | null;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  /** False takes any certificate of the server. */
  readonly isVerified: boolean;
}

/** The files and switches that programs give as options; "" for what is not set. */
export interface TlsClientFiles {
  rootCaFile: string;
  certFile: string;
  keyFile: string;
  isVerified?: boolean;
  minVersion?: "TLSv1.2" | "TLSv1.3";
}

/**
 * Reads the files.
 *
 * @throws {StartupError} when one is missing or holds nothing of its kind, or when certificate and key do not
 * come together
 */
export function loadTlsClientSettings(files: TlsClientFiles): TlsClientSettings {
  const { rootCaFile, certFile, keyFile, isVerified = true, minVersion = "TLSv1.2" } = files;
  if ((certFile === "") !== (keyFile === "")) {
    throw new StartupError("a TLS certificate and its key go together, but only one of them is set");
  }
  return {
    rootCertificates: rootCaFile === "" ? null : readCertificates("root certificates", rootCaFile),
    identity: certFile === ""
      ? null
      : { cert: readCertificates("certificate", certFile), key: read("key", keyFile) },
    minVersion,
    isVerified,
  };
}

function readCertificates(what: string, path: string): string {
  const text = read(what, path);
  try {
    new X509Certificate(text);
  } catch (cause) {
    throw new StartupError(`cannot use the ${what} from ${path}: it holds none in PEM form`, { cause });
  }
  return text;
}

function read(what: string, path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound ? "there is no such file" : (cause as Error).message;
    throw new StartupError(`cannot read the ${what} from ${path}: ${reason}`, { cause });
  }
}
