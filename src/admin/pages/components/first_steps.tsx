/**
 * What somebody sees who has no topic yet: three commands to copy, with the addresses of this installation.
 *
 * Tested in test/ui/console_test.ts.
 */
import { href, type View } from "../view.ts";

export function FirstSteps({ view }: { view: View }) {
  const node = view.snapshot.nodes.find(({ isUp }) => isUp);
  if (node === undefined) return <NoNode view={view} />;
  const host = node.broadcastAddress.includes(":") ? `[${node.broadcastAddress}]` : node.broadcastAddress;
  const steps = [
    {
      title: "Publish a message; its topic appears",
      command: `curl -d 'hello' 'http://${host}:${node.httpPort}/pub?topic=greetings'`,
    },
    {
      title: "Give it a channel, and the message waits in it",
      command:
        `curl -X POST 'http://${host}:${node.httpPort}/channel/create?topic=greetings&channel=readers'`,
    },
    {
      title: "Consume it",
      command: `nsq tail --topic=greetings --channel=readers --nsqd-tcp-address=${host}:${node.tcpPort}`,
    },
  ];
  return (
    <div class="first-steps">
      <h3>No topic yet</h3>
      <p>
        The first message makes one. Try it from a terminal, or{" "}
        <a href={href(view, "/publish")}>publish here</a>:
      </p>
      <ol>
        {steps.map(({ title, command }) => (
          <li>
            {title}
            <Command text={command} />
          </li>
        ))}
      </ol>
    </div>
  );
}

function NoNode({ view }: { view: View }) {
  const { settings, snapshot } = view;
  const [lookupd] = settings.lookupdHttpAddresses;
  return (
    <div class="first-steps">
      <h3>{snapshot.nodes.length === 0 ? "No nsqd is known yet" : "No nsqd answers"}</h3>
      {snapshot.nodes.length > 0
        ? (
          <p>
            What was last heard of them is on <a href={href(view, "/nodes")}>Nodes</a>.
          </p>
        )
        : lookupd === undefined
        ? <p>This console asks {settings.nsqdHttpAddresses.join(", ")}.</p>
        : (
          <>
            <p>
              This console asks{" "}
              {settings.lookupdHttpAddresses.join(", ")}. Start a broker that registers there:
            </p>
            <Command
              text={`nsq nsqd --data-path=data --lookupd-tcp-address=${lookupd.replace(/:\d+$/, "")}:4160`}
            />
          </>
        )}
    </div>
  );
}

/** A command line with a button that copies it, where there is script. */
export function Command({ text }: { text: string }) {
  return (
    <div class="command">
      <pre tabindex={0}><code>{text}</code></pre>
      <button type="button" class="plain" data-copy="" hidden>Copy</button>
    </div>
  );
}
