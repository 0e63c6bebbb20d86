import assert from "node:assert/strict";
import { parseCidr } from "../../../src/admin/http/cidr.ts";

Deno.test("parseCidr() tells which addresses of its family are in a range", () => {
  const table: [range: string, inside: string[], outside: string[]][] = [
    ["127.0.0.1/8", ["127.0.0.1", "127.255.3.4", "::ffff:127.0.0.1"], ["128.0.0.1", "::1", "text"]],
    ["10.1.2.0/23", ["10.1.3.255"], ["10.1.4.0"]],
    ["192.168.1.7/32", ["192.168.1.7"], ["192.168.1.6"]],
    ["0.0.0.0/0", ["8.8.8.8"], ["::1"]],
    ["::1/128", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]],
    ["fe80::/10", ["fe80::1", "febf::"], ["fec0::"]],
  ];
  for (const [range, inside, outside] of table) {
    const cidr = parseCidr(range)!;
    for (const ip of inside) assert.equal(cidr.contains(ip), true, `${ip} in ${range}`);
    for (const ip of outside) assert.equal(cidr.contains(ip), false, `${ip} not in ${range}`);
  }
});

Deno.test("parseCidr() refuses what is no range", () => {
  for (const text of ["", "127.0.0.1", "127.0.0.1/33", "::1/129", "300.0.0.1/8", "a/8", "127.0.0.1/x"]) {
    assert.equal(parseCidr(text), undefined, text);
  }
});
