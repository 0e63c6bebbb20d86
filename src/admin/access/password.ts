/**
 * Passwords, as a PHC string that says how it was made: Argon2id where the runtime has it, else scrypt.
 *
 * Tested in test/admin/access/password_test.ts.
 */
import { Buffer } from "node:buffer";
import { scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const SALT_BYTES = 16;
const HASH_BYTES = 32;
const ARGON2_VERSION = 19;
/** KiB and rounds: what is advised for servers, some 30 ms. */
const ARGON2_COST = { m: 19_456, t: 2, p: 1 };
/** As a power of two; some 60 ms. */
const SCRYPT_COST = { ln: 15, r: 8, p: 1 };
const SCRYPT_MAX_MEMORY_BYTES = 256 << 20;
/** Of what a file may ask of us. */
const MAX_ARGON2_COST = { m: 1 << 20, t: 64, p: 16 };
const MAX_SCRYPT_COST = { ln: 20, r: 32, p: 16 };

type Cost = Readonly<Record<string, number>>;
type Derive = (password: string, salt: Uint8Array<ArrayBuffer>, cost: Cost) => Promise<Uint8Array>;

const deriveScrypt = promisify(scrypt) as (
  password: string,
  salt: Uint8Array,
  length: number,
  options: { N: number; r: number; p: number; maxmem: number },
) => Promise<Buffer>;

const derivations: Readonly<Record<string, { derive: Derive; max: Cost }>> = {
  argon2id: { derive: argon2id, max: MAX_ARGON2_COST },
  scrypt: {
    max: MAX_SCRYPT_COST,
    derive: (password, salt, { ln, r, p }) =>
      deriveScrypt(password, salt, HASH_BYTES, { N: 2 ** ln, r, p, maxmem: SCRYPT_MAX_MEMORY_BYTES }),
  },
};

/** Makes the string that a password is kept as. */
export async function hashPassword(password: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  try {
    const hash = await argon2id(password, salt, ARGON2_COST);
    return phc("argon2id", [`v=${ARGON2_VERSION}`], ARGON2_COST, salt, hash);
  } catch {
    // The runtime is older than Argon2 in WebCrypto.
    const hash = await derivations.scrypt.derive(password, salt, SCRYPT_COST);
    return phc("scrypt", [], SCRYPT_COST, salt, hash);
  }
}

/**
 * Whether `password` is the one that `kept` was made from.
 *
 * @throws {Error} when `kept` is no PHC string of a kind that this runtime knows
 */
export async function isPassword(password: string, kept: string): Promise<boolean> {
  const { algorithm, cost, salt, hash } = parsePhc(kept);
  const { derive } = derivations[algorithm];
  const derived = await derive(password, salt, cost);
  return derived.length === hash.length && timingSafeEqual(derived, hash);
}

/** @throws {Error} when it is no string that `isPassword()` takes */
export function parsePhc(kept: string) {
  const [empty, algorithm, ...rest] = kept.split("$");
  const known = Object.hasOwn(derivations, algorithm ?? "") ? derivations[algorithm] : undefined;
  if (empty !== "" || known === undefined) throw new Error("it is no Argon2id or scrypt string");
  if (rest[0]?.startsWith("v=")) rest.shift();
  const [parameters, salt, hash] = rest;
  const pairs = (parameters ?? "").split(",").map((pair) => pair.split("="));
  const cost = Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]));
  for (const [name, max] of Object.entries(known.max)) {
    const isUsable = Number.isInteger(cost[name]) && cost[name] >= 1 && cost[name] <= max;
    if (!isUsable) throw new Error(`its parameter ${name} must be from 1 to ${max}`);
  }
  const bytes = [salt, hash].map((text) => Uint8Array.from(Buffer.from(text ?? "", "base64")));
  if (bytes.some(({ length }) => length < 8)) throw new Error("its salt or hash is missing");
  return { algorithm, cost, salt: bytes[0], hash: bytes[1] };
}

async function argon2id(password: string, salt: Uint8Array<ArrayBuffer>, cost: Cost): Promise<Uint8Array> {
  // Newer than the types of the runtime.
  const key = await crypto.subtle.importKey(
    "raw-secret" as "raw",
    new TextEncoder().encode(password),
    "Argon2id",
    false,
    ["deriveBits"],
  );
  const parameters = { name: "Argon2id", nonce: salt, memory: cost.m, passes: cost.t, parallelism: cost.p };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, HASH_BYTES * 8));
}

function phc(
  algorithm: string,
  version: string[],
  cost: Cost,
  salt: Uint8Array,
  hash: Uint8Array,
): string {
  const parameters = Object.entries(cost).map(([name, value]) => `${name}=${value}`).join(",");
  const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");
  return ["", algorithm, ...version, parameters, encode(salt), encode(hash)].join("$");
}
