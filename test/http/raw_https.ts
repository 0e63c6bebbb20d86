/** Sends bytes of requests over TLS, and gives the bytes of answers. */
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";

export function certificate(name: string): string {
  return Deno.readTextFileSync(new URL(`../support/certificates/${name}.pem`, import.meta.url));
}

/** Opens a connection that trusts the tests' own authority. */
export function connectTls(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const trust = { ca: certificate("ca"), servername: "localhost" };
    const socket = connect({ host: "127.0.0.1", port, ...trust, ...options });
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

/** Reads until `end` is seen or the server closes; rejects when the connection breaks. */
export function readUntil(socket: TLSSocket, end?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const onData = (chunk: Uint8Array) => {
      text += new TextDecoder().decode(chunk);
      if (end?.test(text)) finish();
    };
    const finish = () => {
      socket.off("data", onData);
      resolve(text);
    };
    socket.on("data", onData);
    socket.once("end", finish);
    socket.once("close", finish);
    socket.once("error", reject);
  });
}

/** Sends one request on a connection of its own and reads until the server closes. */
export async function sendTls(port: number, text: string, options: ConnectionOptions = {}): Promise<string> {
  const socket = await connectTls(port, options);
  try {
    const answer = readUntil(socket);
    socket.write(text);
    return await answer;
  } finally {
    socket.destroy();
  }
}
