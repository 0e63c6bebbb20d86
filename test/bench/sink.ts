/**
 * The floor of the machine and the runtime: a server that reads bytes and answers OK, and does nothing else.
 *
 *     deno run --allow-net test/bench/sink.ts <bytes of a command>
 *
 * It answers the greeting of `load_client.ts`, and then every so many bytes, with an OK. It looks at none of
 * them, so no broker in TypeScript can take messages in faster.
 */
import { GREETING } from "./load_client.ts";

const READ_BYTES = 256 * 1024;
const OK = new Uint8Array([0, 0, 0, 6, 0, 0, 0, 0, 79, 75]);

async function serve(conn: Deno.TcpConn, commandBytes: number): Promise<void> {
  conn.setNoDelay(true);
  const buffer = new Uint8Array(READ_BYTES);
  let missing = GREETING.length;
  for (;;) {
    const byteCount = await conn.read(buffer);
    if (byteCount === null) break;
    missing -= byteCount;
    for (; missing <= 0; missing += commandBytes) await conn.write(OK);
  }
  conn.close();
}

const commandBytes = Number(Deno.args[0]);
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.error(`TCP: listening on 127.0.0.1:${listener.addr.port}`);
for await (const conn of listener) {
  serve(conn, commandBytes).catch((cause) => console.error(`SINK: ${(cause as Error).message}`));
}
