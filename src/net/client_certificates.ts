/**
 * Decides whether the certificate that a client showed is one of a known root (RFC 5280, for client authentication).
 *
 * The TLS of the runtime sees to it that the client has the key of the certificate. It could check the roots too, but
 * then sends them as part of our own chain, or names a hundred and more of the system to every client. Where a rule
 * cannot be checked here, such as limits on names, a certificate that needs it is refused.
 */
import { X509Certificate } from "node:crypto";
import { type CertificateFields, readCertificateFields } from "./certificate_fields.ts";

const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_PURPOSE = "2.5.29.37.0";
/** Signatures over MD2, MD5 and SHA-1: anybody might have made them. */
const BROKEN_SIGNATURES = new Set([
  "1.2.840.113549.1.1.2",
  "1.2.840.113549.1.1.4",
  "1.2.840.113549.1.1.5",
  "1.2.840.10040.4.3",
  "1.2.840.10045.4.1",
]);
/** Certificates of a client that are looked at; chains are three or four long. */
const MAX_CERTIFICATES = 10;
/** Signatures that are checked for one client, so that it cannot keep us busy. */
const MAX_SIGNATURES = 100;

interface Certificate {
  readonly x509: X509Certificate;
  readonly fields: CertificateFields;
}

/** The certificates of clients that count, by the roots they come from. */
export class ClientVerifier {
  readonly #roots: readonly Certificate[];

  /** @param roots PEM, each with one certificate or more; those that cannot be read are left out */
  constructor(roots: readonly string[]) {
    this.#roots = roots.flatMap((pem) =>
      pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    )
      .flatMap((pem) => {
        try {
          return [certificateOf(new X509Certificate(pem))];
        } catch {
          return [];
        }
      });
  }

  /**
   * Null when `chain`, DER with the client's own first, leads to a root at `nowMs` (Unix ms); else why not, in the
   * words of Go's TLS, which operators search for.
   */
  refusal(chain: readonly Uint8Array[], nowMs: number): string | null {
    let certificates: Certificate[];
    try {
      const shown = chain.slice(0, MAX_CERTIFICATES);
      certificates = shown.map((der) => certificateOf(new X509Certificate(der as never)));
    } catch (cause) {
      return `x509: malformed certificate: ${(cause as Error).message}`;
    }
    const [own, ...others] = certificates;
    if (own === undefined) return "x509: no certificate";
    const reason = timeProblem(own, nowMs) ?? useProblem(own);
    if (reason !== null) return reason;
    const search = new Search(this.#roots, nowMs);
    return search.leadsToRoot(own, others, 0) ? null : search.reason;
  }
}

/** Goes from a certificate to those that may have signed it, until one is a root. */
class Search {
  /** What was wrong last. */
  reason = "x509: certificate signed by unknown authority";
  readonly #roots: readonly Certificate[];
  readonly #nowMs: number;
  #signatures = 0;

  constructor(roots: readonly Certificate[], nowMs: number) {
    this.#roots = roots;
    this.#nowMs = nowMs;
  }

  /** @param pathLength how many authorities stand between `from` and the client's own */
  leadsToRoot(from: Certificate, others: readonly Certificate[], pathLength: number): boolean {
    const isRoot = this.#roots.some(({ x509 }) => x509.fingerprint256 === from.x509.fingerprint256);
    if (isRoot && pathLength === 0) return true;
    if (BROKEN_SIGNATURES.has(from.fields.signatureAlgorithm)) {
      this.reason = "x509: cannot verify signature: insecure algorithm";
      return false;
    }
    if (this.#roots.some((root) => this.#mayIssue(root, from, pathLength, true))) return true;
    return others.some((other) =>
      this.#mayIssue(other, from, pathLength, false) &&
      this.leadsToRoot(other, others.filter((each) => each !== other), pathLength + 1)
    );
  }

  #mayIssue(issuer: Certificate, subject: Certificate, pathLength: number, isRoot: boolean): boolean {
    if (issuer.x509.subject !== subject.x509.issuer) return false;
    const problem = issuerProblem(issuer, pathLength, isRoot) ?? timeProblem(issuer, this.#nowMs) ??
      useProblem(issuer);
    if (problem !== null) {
      this.reason = problem;
      return false;
    }
    if (++this.#signatures > MAX_SIGNATURES) {
      this.reason = "x509: signature check attempts limit reached while verifying certificate chain";
      return false;
    }
    try {
      return subject.x509.checkIssued(issuer.x509) && subject.x509.verify(issuer.x509.publicKey);
    } catch {
      // A key or an algorithm that is not known here signs nothing.
      return false;
    }
  }
}

function certificateOf(x509: X509Certificate): Certificate {
  return { x509, fields: readCertificateFields(x509.raw) };
}

function timeProblem({ x509 }: Certificate, nowMs: number): string | null {
  const from = Date.parse(x509.validFrom), to = Date.parse(x509.validTo);
  // Not when a date cannot be read, either.
  if (nowMs >= from && nowMs <= to) return null;
  const relation = nowMs < from ? `is before ${rfc3339(from)}` : `is after ${rfc3339(to)}`;
  return `x509: certificate has expired or is not yet valid: current time ${rfc3339(nowMs)} ${relation}`;
}

function rfc3339(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().replace(/\.\d+/, "") : "an unreadable date";
}

/** Whether it is for clients, and says nothing that is not understood here. */
function useProblem({ fields: { purposes, unknownCritical } }: Certificate): string | null {
  if (unknownCritical.length > 0) return "x509: unhandled critical extension";
  if (purposes === null || purposes.includes(CLIENT_AUTH) || purposes.includes(ANY_PURPOSE)) return null;
  return "x509: certificate specifies an incompatible key usage";
}

function issuerProblem({ fields }: Certificate, pathLength: number, isRoot: boolean): string | null {
  // Old roots have no extensions; that they are roots was said by who configured them.
  const isOldRoot = isRoot && fields.version < 3;
  if (!isOldRoot && !fields.isAuthority) {
    return "x509: invalid authority certificate: it may not sign others";
  }
  if (pathLength > fields.maxPathLength) return "x509: too many intermediates for path length constraint";
  if (fields.hasNameConstraints) return "x509: limits on names are not supported";
  return null;
}
