/**
 * The checks of `nsq doctor`: whether what lookupds hand out can be reached from this machine.
 *
 * Discovery fails in one typical way: an nsqd announces an address that is right where it runs and
 * means nothing where the client runs (a container's name, a loopback address, an unpublished port).
 * So each check is made from here, and a failure names the flag to change and on which node.
 *
 * Tested in test/cli/doctor_test.ts and in test/cluster/doctor_elsewhere_test.ts.
 */
import { lookup as resolveName } from "node:dns/promises";
import { isIP } from "node:net";
import { CommandWriter } from "../protocol/command_writer.ts";
import { FrameReader, readInt32 } from "../protocol/frame_reader.ts";
import { FRAME_TYPE_OFFSET, FRAME_TYPE_RESPONSE } from "../protocol/message.ts";
import { ProtocolFault } from "../protocol/protocol_fault.ts";
import { writeAll } from "../transport/transport.ts";
import { HttpClient } from "../http/client/http_client.ts";
import { HttpRequestError } from "../http/client/errors.ts";
import { urlOf } from "../http/client/url.ts";

/** What came of one check. A warning does not make the whole fail. */
export interface CheckResult {
  status: "ok" | "warn" | "FAIL";
  subject: "lookupd" | "nsqd";
  address: string;
  check: "http" | "registered" | "resolve" | "tcp";
  detail: string;
  /** What to change; "" when nothing is wrong. */
  advice: string;
}

export interface DoctorSettings {
  /** `host:port` of the HTTP APIs. */
  lookupdHttpAddresses: readonly string[];
  nsqdHttpAddresses: readonly string[];
  /** For each single step. */
  timeoutMs: number;
}

/** A node as lookupds list it. */
interface Node {
  hosts: string[];
  hostname: string;
  remoteAddress: string;
  tcpPort: number;
  httpPort: number;
  /** Addresses of the lookupds that list it. */
  registeredAt: Set<string>;
}

const MAX_CONCURRENT_NODES = 16;
const MAX_FRAME_BYTES = 1024 * 1024;
const FRAME_HEAD_BYTES = 8;
const READ_BYTES = 4096;

/** Makes all checks and resolves with their results in the order of the report; never rejects. */
export async function runChecks(settings: DoctorSettings): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const nodes = new Map<string, Node>();
  const answering: string[] = [];
  for (const address of settings.lookupdHttpAddresses) {
    const result = await checkLookupd(address, nodes, settings.timeoutMs);
    if (result.status !== "FAIL") answering.push(address);
    results.push(result);
  }
  for (const address of settings.nsqdHttpAddresses) {
    results.push(...await checkGivenNsqd(address, nodes, answering, settings.timeoutMs));
  }
  const pending = [...nodes.values()];
  while (pending.length > 0) {
    const batch = pending.splice(0, MAX_CONCURRENT_NODES);
    const checked = await Promise.all(batch.map((node) => checkNode(node, answering, settings.timeoutMs)));
    results.push(...checked.flat());
  }
  return results;
}

async function checkLookupd(
  address: string,
  nodes: Map<string, Node>,
  timeoutMs: number,
): Promise<CheckResult> {
  const base = { subject: "lookupd", address, check: "http" } as const;
  try {
    const { producers } = await getJson(address, "/nodes", timeoutMs) as { producers?: unknown };
    if (!Array.isArray(producers)) throw new Error("answer to /nodes has no list of producers");
    for (const producer of producers) addNode(nodes, producer, address);
    if (producers.length === 0) {
      const advice =
        "no nsqd is registered: start each with --lookupd-tcp-address=<this lookupd>:4160, or see in " +
        "its log why that connection fails";
      return { ...base, status: "warn", detail: "lists no nodes", advice };
    }
    return { ...base, status: "ok", detail: `lists ${counted(producers.length, "node")}`, advice: "" };
  } catch (error) {
    const advice = "is this the HTTP port (4161 unless changed), and does the lookupd's --http-address " +
      "listen on more than 127.0.0.1?";
    return { ...base, status: "FAIL", detail: messageOf(error), advice };
  }
}

function addNode(nodes: Map<string, Node>, producer: Record<string, unknown>, lookupd: string): void {
  const { broadcast_address: host, tcp_port: tcpPort, http_port: httpPort } = producer;
  const key = `${host}:${tcpPort}:${httpPort}`;
  const known = nodes.get(key);
  if (known !== undefined) {
    known.registeredAt.add(lookupd);
    return;
  }
  const { broadcast_addresses: hosts } = producer;
  nodes.set(key, {
    hosts: Array.isArray(hosts) && hosts.length > 1 ? hosts.map(String) : [String(host)],
    hostname: String(producer.hostname ?? ""),
    remoteAddress: String(producer.remote_address ?? ""),
    tcpPort: Number(tcpPort),
    httpPort: Number(httpPort),
    registeredAt: new Set([lookupd]),
  });
}

/** An nsqd that the caller names: it answers, and the lookupds know it. */
async function checkGivenNsqd(
  address: string,
  nodes: Map<string, Node>,
  lookupds: readonly string[],
  timeoutMs: number,
): Promise<CheckResult[]> {
  const base = { subject: "nsqd", address } as const;
  let info: Record<string, unknown>;
  try {
    info = await getJson(address, "/info", timeoutMs) as Record<string, unknown>;
  } catch (error) {
    const advice = "is this the HTTP port (4151 unless changed), and does the nsqd's --http-address listen " +
      "on more than 127.0.0.1?";
    return [{ ...base, check: "http", status: "FAIL", detail: messageOf(error), advice }];
  }
  const results: CheckResult[] = [
    { ...base, check: "http", status: "ok", detail: `is nsqd ${info.version}`, advice: "" },
  ];
  const host = info.broadcast_address;
  const node = [...nodes.values()].find((candidate) =>
    candidate.hosts[0] === host && candidate.hostname === info.hostname
  );
  if (node === undefined && lookupds.length > 0) {
    results.push({
      ...base,
      check: "registered",
      status: "FAIL",
      detail: `no lookupd lists a node with --broadcast-address=${host}`,
      advice:
        "start this nsqd with --lookupd-tcp-address=<lookupd>:4160 for each lookupd; with Unix sockets " +
        "or without HTTP it also needs --broadcast-tcp-port and --broadcast-http-port",
    });
  }
  return results;
}

/** Checks each address of the node; it is well when clients can use one of them. */
async function checkNode(
  node: Node,
  lookupds: readonly string[],
  timeoutMs: number,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const perHost = await Promise.all(node.hosts.map((host) => checkHost(node, host, timeoutMs)));
  const isReachable = perHost.some((checks) => checks.every((check) => check.status === "ok"));
  for (const checks of perHost) {
    // Several addresses are announced because each works from some places only.
    for (const check of checks) {
      const isExcused = check.status === "FAIL" && isReachable;
      results.push(isExcused ? { ...check, status: "warn" } : check);
    }
  }
  const missing = lookupds.filter((lookupd) => !node.registeredAt.has(lookupd));
  if (missing.length > 0) results.push(notRegistered(node, missing));
  return results;
}

function notRegistered(node: Node, missing: string[]): CheckResult {
  return {
    subject: "nsqd",
    address: hostPort(node.hosts[0], node.tcpPort),
    check: "registered",
    status: "FAIL",
    detail: `not listed by ${missing.join(", ")}`,
    advice:
      `${where(node)}: add --lookupd-tcp-address for ${missing.length === 1 ? "it" : "each of them"}, ` +
      "or see why that connection fails in its log",
  };
}

async function checkHost(node: Node, host: string, timeoutMs: number): Promise<CheckResult[]> {
  const resolved = await checkResolution(node, host);
  if (resolved.status === "FAIL") return [resolved];
  return [
    resolved,
    ...await Promise.all([checkTcp(node, host, timeoutMs), checkHttp(node, host, timeoutMs)]),
  ];
}

async function checkResolution(node: Node, host: string): Promise<CheckResult> {
  const base = { subject: "nsqd", address: host, check: "resolve" } as const;
  try {
    const { address } = await resolveName(host);
    const elsewhere = isLoopback(address) ? await findElsewhere(node) : null;
    if (elsewhere !== null) {
      const detail = `${address} is a loopback address, but the node is ${elsewhere}`;
      return { ...base, status: "FAIL", detail, advice: `${where(node)}: ${BROADCAST_ADVICE}` };
    }
    if (isLoopback(address)) {
      const detail = `${
        isIP(host) === 0 ? `is ${address}, ` : "is "
      }a loopback address, for this machine only`;
      return { ...base, status: "ok", detail, advice: "" };
    }
    const detail = isIP(host) === 0 ? `is ${address}` : "is an address";
    return { ...base, status: "ok", detail, advice: "" };
  } catch (error) {
    const advice = `${where(node)}: ${BROADCAST_ADVICE}`;
    return { ...base, status: "FAIL", detail: messageOf(error), advice };
  }
}

/** Where the node is when that is known to be another machine than this one, else null. */
async function findElsewhere(node: Node): Promise<string | null> {
  if (!isLoopback(node.remoteAddress.replace(/:\d+$/, ""))) return `at ${node.remoteAddress}`;
  const [lookupd] = node.registeredAt;
  const { address } = await resolveName(lookupd.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""));
  const isHere = isLoopback(address) || Deno.networkInterfaces().some((own) => own.address === address);
  return isHere ? null : `on the machine of lookupd ${lookupd}`;
}

const BROADCAST_ADVICE =
  "set --broadcast-address to a name or address that clients can reach; repeat the flag " +
  "when inside and outside need different ones";

async function checkTcp(node: Node, host: string, timeoutMs: number): Promise<CheckResult> {
  const base = { subject: "nsqd", address: hostPort(host, node.tcpPort), check: "tcp" } as const;
  let conn: Deno.TcpConn;
  try {
    conn = await dial(host, node.tcpPort, timeoutMs);
  } catch (error) {
    const advice =
      `${where(node)}: if ${host} is right, is --tcp-address bound to loopback or the port not ` +
      `published? When it is published under another number, set --broadcast-tcp-port (announced is ${node.tcpPort})`;
    return { ...base, status: "FAIL", detail: messageOf(error), advice };
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    conn.close();
  }, timeoutMs);
  try {
    const detail = await identify(conn);
    return { ...base, status: "ok", detail, advice: "" };
  } catch (error) {
    const reason = isLate ? `nothing within ${timeoutMs} ms` : messageOf(error);
    const advice = `${where(node)}: something else than nsqd's protocol answers; if ${host} is right, set ` +
      `--broadcast-tcp-port to the port of its --tcp-address as clients see it (announced is ${node.tcpPort})`;
    return { ...base, status: "FAIL", detail: `no answer to IDENTIFY: ${reason}`, advice };
  } finally {
    clearTimeout(timer);
    if (!isLate) conn.close();
  }
}

async function checkHttp(node: Node, host: string, timeoutMs: number): Promise<CheckResult> {
  const address = hostPort(host, node.httpPort);
  const base = { subject: "nsqd", address, check: "http" } as const;
  try {
    const { status, text } = await getText(address, "/ping", timeoutMs);
    if (status === 200 && text === "OK") return { ...base, status: "ok", detail: "/ping is OK", advice: "" };
    if (status === 403) return { ...base, status: "ok", detail: "answers, and wants TLS", advice: "" };
    const advice = text.startsWith("NOK")
      ? `${where(node)}: it is unhealthy; see its log and the disk of its --data-path`
      : `${
        where(node)
      }: something else answers; if ${host} is right, set --broadcast-http-port (announced is ${node.httpPort})`;
    return { ...base, status: "FAIL", detail: `/ping answers ${status} ${text.slice(0, 80)}`, advice };
  } catch (error) {
    const advice =
      `${where(node)}: if ${host} is right, is --http-address bound to loopback or the port not ` +
      `published? When it is published under another number, set --broadcast-http-port (announced is ${node.httpPort})`;
    return { ...base, status: "FAIL", detail: messageOf(error), advice };
  }
}

/** Sends IDENTIFY and resolves with what the broker says it is. */
async function identify(conn: Deno.TcpConn): Promise<string> {
  const commands = new CommandWriter();
  commands.magic();
  commands.identify(JSON.stringify({ client_id: "nsq doctor", feature_negotiation: true }));
  await writeAll(conn, commands.take());
  const frame = await firstFrame(conn);
  const text = new TextDecoder().decode(
    frame.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES - 4 + readInt32(frame, 0)),
  );
  if (readInt32(frame, FRAME_TYPE_OFFSET) !== FRAME_TYPE_RESPONSE) throw new Error(text);
  const { version } = JSON.parse(text) as { version?: string };
  return `is nsqd ${version ?? "of unknown version"}`;
}

async function firstFrame(conn: Deno.TcpConn): Promise<Uint8Array> {
  const reader = new FrameReader(MAX_FRAME_BYTES), buffer = new Uint8Array(READ_BYTES);
  for (;;) {
    const byteCount = await conn.read(buffer);
    if (byteCount === null) throw new Error("connection closed");
    let frame: Uint8Array | null = null;
    try {
      reader.push(buffer.subarray(0, byteCount), (run) => frame ??= run);
    } catch (cause) {
      if (!(cause instanceof ProtocolFault)) throw cause;
      throw new Error("the answer is not a frame");
    }
    if (frame !== null) return frame;
  }
}

async function dial(hostname: string, port: number, timeoutMs: number): Promise<Deno.TcpConn> {
  const dialling = new AbortController();
  const timer = setTimeout(
    () => dialling.abort(new Error(`no connection within ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await Deno.connect({ hostname, port, signal: dialling.signal });
  } finally {
    clearTimeout(timer);
  }
}

async function getText(
  address: string,
  path: string,
  timeoutMs: number,
): Promise<{ status: number; text: string }> {
  const client = new HttpClient({ connectTimeoutMs: timeoutMs, requestTimeoutMs: timeoutMs });
  const { status, body } = await client.request(urlOf(address, path));
  return { status, text: new TextDecoder().decode(body) };
}

async function getJson(address: string, path: string, timeoutMs: number): Promise<object> {
  const { status, text } = await getText(address, path, timeoutMs);
  if (status !== 200) throw new Error(`${path} answers ${status} ${text.slice(0, 80)}`);
  const json: unknown = JSON.parse(text);
  if (typeof json !== "object" || json === null) throw new Error(`${path} answers ${text.slice(0, 80)}`);
  return json;
}

/** Names the node for whoever has to change it. */
function where(node: Node): string {
  return `on nsqd ${node.hostname || node.hosts[0]} (connected from ${node.remoteAddress})`;
}

function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1" || address === "[::1]";
}

/** The innermost reason, without the numbers of the operating system. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof HttpRequestError) return error.message;
  if (error.cause instanceof Error) return messageOf(error.cause);
  if ("code" in error && error.code === "ENOTFOUND") return "this name does not resolve here";
  return error.message.replace(/ \(os error \d+\)$/, "");
}

/** `1 node`, `2 nodes`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
