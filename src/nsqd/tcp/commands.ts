/**
 * From a command to what carries it out: checks that it is legal in the state of the client, then calls the function
 * that has its name.
 *
 * Tested in test/wire/states_test.ts.
 */
import type { Buffer } from "../../buffers/buffer_pool.ts";
import type { BodyCommandName, CommandHandler, LineCommandName, Parameters } from "../../protocol/command.ts";
import * as errors from "../../protocol/errors.ts";
import type { Client } from "./client.ts";
import { CLS, FIN, messageFailed, RDY, REQ, SUB, TOUCH } from "./consumer_commands.ts";
import { illegal, LEGAL } from "./legal_commands.ts";
import { Publisher } from "./publisher.ts";

export class Commands implements CommandHandler {
  readonly publisher: Publisher;
  readonly #client: Client;
  /** The id of the last FIN in the usual form, for its error. */
  readonly #finishedId: () => Uint8Array;

  constructor(client: Client, finishedId: () => Uint8Array) {
    this.#client = client;
    this.#finishedId = finishedId;
    this.publisher = new Publisher(client);
  }

  /** FIN in its usual form. */
  finish(seq: number): void {
    const client = this.#client, { subscription } = client;
    if (subscription === null) throw illegal("FIN", client.state);
    const answer = subscription.channel.finish(subscription, seq);
    if (answer !== "ok") throw messageFailed("FIN", this.#finishedId(), answer);
  }

  command(name: LineCommandName, parameters: Parameters): void {
    const client = this.#client;
    if (!LEGAL[name][client.state]) throw illegal(name, client.state);
    switch (name) {
      case "FIN":
        return FIN(client, parameters);
      case "REQ":
        return REQ(client, parameters);
      case "TOUCH":
        return TOUCH(client, parameters);
      case "RDY":
        return RDY(client, parameters);
      case "SUB":
        return SUB(client, parameters);
      case "CLS":
        return CLS(client);
      case "NOP":
    }
  }

  begin(name: BodyCommandName, parameters: Parameters): void {
    const client = this.#client;
    if (!LEGAL[name][client.state]) throw illegal(name, client.state);
    if (name === "IDENTIFY") return;
    if (name !== "AUTH") return this.publisher.begin(name, parameters);
    if (parameters.count > 0) throw errors.authParametersGiven();
  }

  publish(source: Buffer, bodyStart: number, bodyBytes: number): void {
    this.publisher.publish(source, bodyStart, bodyBytes);
  }

  publishMany(source: Buffer, at: number, count: number): void {
    this.publisher.publishMany(source, at, count);
  }

  body(name: "IDENTIFY" | "AUTH", body: Uint8Array): void {
    const client = this.#client;
    if (name === "IDENTIFY") return client.identify(body);
    if (client.auth === null) throw errors.authDisabled();
    client.auth.authenticate(body);
  }

  unknown(word: Uint8Array): never {
    throw this.#client.state === "plain" ? errors.tlsRequired(word) : errors.unknownCommand(word);
  }
}
