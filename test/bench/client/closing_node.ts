/// <reference lib="deno.worker" />
/** A worker with a node that takes each subscription, and ends its connection at once. */
const encoder = new TextEncoder();

function frame(text: string): Uint8Array<ArrayBuffer> {
  const data = encoder.encode(text), bytes = new Uint8Array(8 + data.length);
  new DataView(bytes.buffer).setInt32(0, 4 + data.length);
  bytes.set(data, 8);
  return bytes;
}

const AGREEMENT = frame('{"max_rdy_count":2500,"msg_timeout":60000,"max_msg_timeout":900000}');
const OK = frame("OK");

async function serve(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(4096), decoder = new TextDecoder();
  try {
    for (let said = "";;) {
      const count = await conn.read(buffer);
      if (count === null) break;
      said += decoder.decode(buffer.subarray(0, count));
      if (said.includes("SUB ")) {
        await conn.write(OK);
        break;
      }
      if (said.includes("IDENTIFY")) await conn.write(AGREEMENT);
    }
  } catch { /* The client went first. */ }
  conn.close();
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
self.postMessage((listener.addr as Deno.NetAddr).port);
for await (const conn of listener) void serve(conn);
