/**
 * The options of nsqd for connections that are upgraded: compression and TLS.
 *
 * Tested in test/options/option_tables_test.ts.
 */
import type { OptionTable } from "../option.ts";

export const upgradeOptions = [
  {
    name: "deflate",
    group: "Clients",
    kind: "bool",
    default: true,
    reloadable: true,
    help: "Let clients ask for deflate",
  },
  {
    name: "snappy",
    group: "Clients",
    kind: "bool",
    default: true,
    reloadable: true,
    help: "Let clients ask for snappy",
  },

  {
    name: "tls-cert",
    group: "TLS",
    kind: "string",
    default: "",
    help: "PEM file with the certificate of this node, and those between it and its root",
  },
  {
    name: "tls-key",
    group: "TLS",
    kind: "string",
    default: "",
    help: "PEM file with the key of the certificate",
  },
  {
    name: "tls-client-auth-policy",
    group: "TLS",
    kind: "string",
    default: "",
    help: "require: clients must show any certificate; require-verify: one of a known root; another word: " +
      "none. Whenever it is set, --tls-required is too",
  },
  {
    name: "tls-root-ca-file",
    group: "TLS",
    kind: "string",
    default: "",
    help:
      "PEM file with the root certificates for those of clients and of auth servers; without it those of " +
      "the system count",
  },
  {
    name: "tls-required",
    group: "TLS",
    kind: "bool or word",
    word: "tcp-https",
    default: false,
    help: "Refuse clients without TLS; with tcp-https plain HTTP stays open",
  },
  {
    name: "tls-min-version",
    group: "TLS",
    kind: "enum",
    values: ["tls1.0", "tls1.1", "tls1.2", "tls1.3"],
    default: "tls1.0",
    emptyMeans: "tls1.0",
    help: "Lowest version that is spoken; below tls1.2 it means tls1.2, since no older one is supported",
  },
] as const satisfies OptionTable;
