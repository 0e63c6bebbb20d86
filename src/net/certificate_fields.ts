/**
 * What a certificate says about its own use, read from its DER: `X509Certificate` of the runtimes does not tell all of
 * it, and not all runtimes tell the same.
 *
 * Layout (RFC 5280): SEQUENCE { tbs, ... }, and tbs is SEQUENCE { [0] version?, serial, signature algorithm, issuer,
 * validity, subject, public key, [1]?, [2]?, [3] extensions? }.
 */

/** The fields that decide whether a certificate may stand at its place in a chain. */
export interface CertificateFields {
  /** 1 to 3. */
  readonly version: number;
  /** OID of the algorithm that it is signed with. */
  readonly signatureAlgorithm: string;
  /** It may sign others. */
  readonly isAuthority: boolean;
  /** How many authorities may stand between it and the last certificate; `Infinity` when nothing is said. */
  readonly maxPathLength: number;
  /** OIDs of the purposes it is limited to; null for any. */
  readonly purposes: readonly string[] | null;
  /** It limits the names of what it signs, which is not checked here. */
  readonly hasNameConstraints: boolean;
  /** OIDs of critical extensions that are not known here. */
  readonly unknownCritical: readonly string[];
}

const BOOLEAN = 0x01, INTEGER = 0x02, BIT_STRING = 0x03, OCTET_STRING = 0x04, OID = 0x06, SEQUENCE = 0x30;
const VERSION = 0xa0, EXTENSIONS = 0xa3;
const KEY_USAGE = "2.5.29.15", ALT_NAME = "2.5.29.17", BASIC_CONSTRAINTS = "2.5.29.19";
const NAME_CONSTRAINTS = "2.5.29.30", POLICIES = "2.5.29.32", EXTENDED_KEY_USAGE = "2.5.29.37";
const KNOWN = new Set([
  KEY_USAGE,
  ALT_NAME,
  BASIC_CONSTRAINTS,
  NAME_CONSTRAINTS,
  POLICIES,
  EXTENDED_KEY_USAGE,
]);
/** Of the bits of key usage, counted from the highest of the first byte. */
const SIGNS_CERTIFICATES = 0x80 >> 5;

/** An element of DER: its tag, and where its content lies. */
interface Element {
  readonly tag: number;
  readonly bytes: Uint8Array;
}

/** @throws {RangeError} when it is no certificate */
export function readCertificateFields(der: Uint8Array): CertificateFields {
  const [certificate] = elements(der);
  const [tbs] = elements(expect(certificate, SEQUENCE));
  const parts = elements(expect(tbs, SEQUENCE));
  const hasVersion = parts[0]?.tag === VERSION;
  const version = hasVersion ? integer(elements(parts[0].bytes)[0]) + 1 : 1;
  const algorithm = elements(expect(parts[hasVersion ? 2 : 1], SEQUENCE))[0];
  const holder = parts.find(({ tag }) => tag === EXTENSIONS);
  const extensions = new Map<string, Uint8Array>();
  const unknownCritical: string[] = [];
  for (const { bytes } of holder === undefined ? [] : elements(expect(elements(holder.bytes)[0], SEQUENCE))) {
    const [id, ...rest] = elements(bytes), name = oid(id), value = rest.at(-1);
    const isCritical = rest[0]?.tag === BOOLEAN && rest[0].bytes[0] !== 0;
    if (isCritical && !KNOWN.has(name)) unknownCritical.push(name);
    extensions.set(name, expect(value, OCTET_STRING));
  }
  return {
    version,
    signatureAlgorithm: oid(algorithm),
    ...authority(extensions),
    purposes: purposes(extensions.get(EXTENDED_KEY_USAGE)),
    hasNameConstraints: extensions.has(NAME_CONSTRAINTS),
    unknownCritical,
  };
}

function authority(
  extensions: ReadonlyMap<string, Uint8Array>,
): Pick<CertificateFields, "isAuthority" | "maxPathLength"> {
  const constraints = extensions.get(BASIC_CONSTRAINTS), usage = extensions.get(KEY_USAGE);
  if (constraints === undefined) return { isAuthority: false, maxPathLength: Infinity };
  const parts = elements(expect(elements(constraints)[0], SEQUENCE));
  const isAuthority = parts[0]?.tag === BOOLEAN && parts[0].bytes[0] !== 0;
  const length = parts.find(({ tag }) => tag === INTEGER);
  const bits = usage === undefined ? null : expect(elements(usage)[0], BIT_STRING);
  // The first byte of a bit string counts the unused bits at its end.
  const maySign = bits === null || ((bits[1] ?? 0) & SIGNS_CERTIFICATES) !== 0;
  return {
    isAuthority: isAuthority && maySign,
    maxPathLength: length === undefined ? Infinity : integer(length),
  };
}

function purposes(extension: Uint8Array | undefined): string[] | null {
  if (extension === undefined) return null;
  return elements(expect(elements(extension)[0], SEQUENCE)).map(oid);
}

/** The elements that follow one another in `bytes`. */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at], first = bytes[at + 1];
    let from = at + 2, length = first;
    if (first >= 0x80) {
      const sizeBytes = first & 0x7f;
      if (sizeBytes === 0 || sizeBytes > 4) throw new RangeError("a length is not DER");
      length = 0;
      for (let i = 0; i < sizeBytes; i++) length = length * 256 + bytes[from + i];
      from += sizeBytes;
    }
    const to = from + length;
    if (!(to <= bytes.length)) throw new RangeError("an element is cut off");
    found.push({ tag, bytes: bytes.subarray(from, to) });
    at = to;
  }
  return found;
}

function expect(element: Element | undefined, tag: number): Uint8Array {
  if (element?.tag !== tag) throw new RangeError(`tag ${element?.tag} is not ${tag}`);
  return element.bytes;
}

function integer(element: Element | undefined): number {
  return expect(element, INTEGER).reduce((value, byte) => value * 256 + byte, 0);
}

/** In dots, such as `2.5.29.19`. */
function oid(element: Element | undefined): string {
  const bytes = expect(element, OID), numbers: number[] = [];
  let value = 0;
  for (const byte of bytes) {
    value = value * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    numbers.push(value);
    value = 0;
  }
  const [first = 0, ...rest] = numbers, root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join(".");
}
