/** A node under a test's control: it takes commands, and answers what the test says, or nothing. */
import { Buffer } from "node:buffer";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** A command as it came: its line, and the body of those that have one. */
export interface Command {
  line: string;
  body: string;
}

const WITH_BODY = /^(IDENTIFY|AUTH|PUB|MPUB|DPUB)\b/;
const FIRST_ID = 0x1000;

export function frame(type: number, data: string | Uint8Array): Uint8Array {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const framed = new Uint8Array(8 + bytes.length), view = new DataView(framed.buffer);
  view.setInt32(0, 4 + bytes.length);
  view.setInt32(4, type);
  framed.set(bytes, 8);
  return framed;
}

export function messageFrame(id: number, body: string, attempts = 1): Uint8Array {
  const bytes = new TextEncoder().encode(body), data = new Uint8Array(26 + bytes.length);
  const view = new DataView(data.buffer);
  view.setBigInt64(0, 1_700_000_000_123_456_789n);
  view.setUint16(8, attempts);
  data.set(new TextEncoder().encode(id.toString(16).padStart(16, "0")), 10);
  data.set(bytes, 26);
  return frame(2, data);
}

/** One client of the fake node. */
export class FakeClient {
  readonly socket: Socket;
  readonly commands: Command[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
  }

  respond(text: string): void {
    this.socket.write(frame(0, text));
  }

  fail(text: string): void {
    this.socket.write(frame(1, text));
  }

  deliver(body: string, attempts = 1, id = FIRST_ID): void {
    this.socket.write(messageFrame(id, body, attempts));
  }
}

/** What IDENTIFY is answered. */
export const AGREEMENT = {
  max_rdy_count: 2500,
  version: "1.3.0",
  max_msg_timeout: 900_000,
  msg_timeout: 60_000,
  tls_v1: false,
  deflate: false,
  snappy: false,
  auth_required: false,
};

export interface FakeNodeSettings {
  /** In place of fields of `AGREEMENT`. */
  agreement?: Record<string, unknown>;
  /** Called for each command but IDENTIFY, SUB and CLS, which are answered as nodes do; true when it took them over too. */
  onCommand?(client: FakeClient, command: Command): boolean | void;
}

export class FakeNode implements AsyncDisposable {
  readonly clients: FakeClient[] = [];
  readonly #server: Server;
  readonly #settings: FakeNodeSettings;
  #onChange: () => void = () => {};

  private constructor(settings: FakeNodeSettings) {
    this.#settings = settings;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(settings: FakeNodeSettings = {}, port = 0): Promise<FakeNode> {
    const node = new FakeNode(settings);
    await new Promise<void>((resolve) => node.#server.listen(port, "127.0.0.1", resolve));
    return node;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves with the first command that `isWanted` accepts, of any client; from before too. */
  async command(isWanted: (command: Command) => boolean): Promise<Command> {
    for (;;) {
      const found = this.clients.flatMap((client) => client.commands).find(isWanted);
      if (found !== undefined) return found;
      await this.changed();
    }
  }

  /** Resolves when a client came, went, or sent a command. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#onChange = resolve);
  }

  #serve(socket: Socket): void {
    const client = new FakeClient(socket);
    this.clients.push(client);
    let rest = Buffer.alloc(0);
    let hasMagic = false;
    socket.on("error", () => {});
    socket.on("close", () => this.#onChange());
    socket.on("data", (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      if (!hasMagic && rest.length >= 4) {
        hasMagic = true;
        rest = rest.subarray(4);
      }
      for (let command; hasMagic && (command = take()) !== null;) this.#answer(client, command);
    });
    const take = (): Command | null => {
      const end = rest.indexOf("\n");
      if (end < 0) return null;
      const line = rest.toString("latin1", 0, end);
      let bodyEnd = end + 1, body = "";
      if (WITH_BODY.test(line)) {
        if (rest.length < end + 5) return null;
        bodyEnd = end + 5 + rest.readInt32BE(end + 1);
        if (rest.length < bodyEnd) return null;
        body = rest.toString("latin1", end + 5, bodyEnd);
      }
      rest = rest.subarray(bodyEnd);
      return { line, body };
    };
    this.#onChange();
  }

  #answer(client: FakeClient, command: Command): void {
    client.commands.push(command);
    if (this.#settings.onCommand?.(client, command) !== true) {
      if (command.line === "IDENTIFY") {
        client.respond(JSON.stringify({ ...AGREEMENT, ...this.#settings.agreement }));
      } else if (command.line.startsWith("SUB ")) client.respond("OK");
      else if (command.line === "CLS") client.respond("CLOSE_WAIT");
    }
    this.#onChange();
  }

  /** Resets all clients, and takes none any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.clients) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** The bodies of an MPUB. */
export function batched({ body }: Command): string[] {
  const bytes = Buffer.from(body, "latin1"), bodies: string[] = [];
  for (let at = 4; at < bytes.length;) {
    const end = at + 4 + bytes.readInt32BE(at);
    bodies.push(bytes.toString("latin1", at + 4, end));
    at = end;
  }
  return bodies;
}
