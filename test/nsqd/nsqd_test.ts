/** Starts that fail: whichever step it is, what was opened before it is released, and the next start is a good one. */
import assert from "node:assert/strict";
import { StartupError } from "../../src/log/startup_error.ts";
import { denoFileSystem, type FileSystem } from "../../src/storage/file_system.ts";
import { originalMetadata, OriginalQueue } from "../support/original_data_path.ts";
import { startNsqd } from "../support/running_nsqd.ts";
import { WireClient, withBody } from "../wire/wire_client.ts";
import { TLS_FLAGS } from "../wire/upgrade_client.ts";

/** A step that fails, and how it says so. */
interface Fault {
  readonly what: string;
  readonly error: RegExp;
  /** Prepares the failure in `directory`. Returns the flags and files of the start. */
  arrange(directory: string): { flags?: string[]; fileSystem?: FileSystem };
}

const TAKEN = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const TAKEN_ADDRESS = `127.0.0.1:${(TAKEN.addr as Deno.NetAddr).port}`;

/** The file system of the machine, on which opening a file that `isHit` fails. */
function failing(isHit: (path: string, mode: string) => boolean): FileSystem {
  return {
    ...denoFileSystem,
    open(path, mode) {
      if (isHit(path, mode)) throw new Error("the disk is gone");
      return denoFileSystem.open(path, mode);
    },
  };
}

const FAULTS: Fault[] = [
  {
    what: "there is no data path",
    error: /failed to lock data-path/,
    arrange: (directory) => ({ flags: [`--data-path=${directory}/none`] }),
  },
  {
    what: "the certificate cannot be read",
    error: /failed to build TLS config/,
    arrange: () => ({ flags: ["--tls-cert=/nowhere.pem", "--tls-key=/nowhere.key"] }),
  },
  {
    what: "the TCP address is taken",
    error: /listen \(.*\) failed/,
    arrange: () => ({ flags: [`--tcp-address=${TAKEN_ADDRESS}`] }),
  },
  {
    what: "the HTTP address is taken",
    error: /listen \(.*\) failed/,
    arrange: () => ({ flags: [`--http-address=${TAKEN_ADDRESS}`] }),
  },
  {
    what: "the HTTPS address is taken",
    error: /listen \(.*\) failed/,
    arrange: () => ({ flags: [...TLS_FLAGS, `--https-address=${TAKEN_ADDRESS}`] }),
  },
  {
    what: "nsqd.dat is damaged",
    error: /failed to load metadata/,
    arrange(directory) {
      Deno.writeTextFileSync(`${directory}/nsqd.dat`, "{");
      return {};
    },
  },
  {
    what: "the log cannot be begun",
    error: /failed to open the log .* the disk is gone/,
    arrange: () => ({ fileSystem: failing((path) => path.endsWith(".log")) }),
  },
  {
    what: "nsqd.dat cannot be written",
    error: /failed to persist metadata - the disk is gone/,
    arrange: () => ({ fileSystem: failing((path, mode) => path.includes("nsqd.dat") && mode === "create") }),
  },
  {
    what: "the queues of Go nsqd cannot be taken over",
    error: /failed to take over the queues .* the disk is gone/,
    arrange(directory) {
      Deno.writeFileSync(`${directory}/nsqd.dat`, originalMetadata([{ name: "orders" }]));
      for (const [name, content] of new OriginalQueue("orders").write({ body: "x" }).files()) {
        Deno.writeFileSync(`${directory}/${name}`, content);
      }
      return { fileSystem: failing((path) => path.includes(".diskqueue.")) };
    },
  },
];

for (const { what, error, arrange } of FAULTS) {
  // What stays open, or runs on, fails the test.
  Deno.test(`runNsqd() releases what it opened when ${what}`, async () => {
    const directory = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
    try {
      const { flags, fileSystem } = arrange(directory);
      await assert.rejects(startNsqd(flags, { directory, fileSystem }), (cause: Error) => {
        assert.ok(cause instanceof StartupError, `${cause}`);
        assert.match(cause.message, error);
        return true;
      });
      Deno.removeSync(directory, { recursive: true });
      Deno.mkdirSync(directory);
      await using server = await startNsqd([], { directory });
      using client = await WireClient.open(server.tcpPort);
      assert.equal(await client.ask(withBody("PUB t", "x")), "response OK");
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  });
}

Deno.test("runNsqd() starts well on a data path on which a start failed", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "nsqd-test-" });
  try {
    {
      await using server = await startNsqd([], { directory });
      using client = await WireClient.open(server.tcpPort);
      assert.equal(await client.ask(withBody("PUB t", "kept")), "response OK");
    }
    const isMetadata = (path: string, mode: string) => path.includes("nsqd.dat") && mode === "create";
    await assert.rejects(startNsqd([], { directory, fileSystem: failing(isMetadata) }), StartupError);
    await using server = await startNsqd([], { directory });
    using client = await WireClient.open(server.tcpPort);
    await client.subscribe("t", "c", 1);
    assert.equal((await client.message()).body, "kept");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
