/** The HTTP API against nodes of Go whose answers were recorded: every shape, and every way to fail in part. */
import assert from "node:assert/strict";
import {
  deadAddress,
  FakeNode,
  goChannel,
  goProducer,
  goStats,
  goTopic,
  refuse,
  startAdmin,
  type TestAdmin,
} from "../fixtures.ts";

const LATENCY = { count: 3, percentiles: [{ quantile: 0.99, value: 335_820_827 }] };
const CLIENT = {
  client_id: "vm",
  hostname: "vm",
  version: "V2",
  remote_address: "127.0.0.1:57940",
  state: 3,
  ready_count: 100,
  in_flight_count: 0,
  message_count: 3,
  finish_count: 3,
  requeue_count: 0,
  connect_ts: 1_795_390_705,
  sample_rate: 0,
  deflate: false,
  snappy: false,
  user_agent: "nsq_tail/1.3.0 go-nsq/1.1.0",
  tls: false,
  tls_cipher_suite: "",
  tls_version: "",
  tls_negotiated_protocol: "",
  tls_negotiated_protocol_is_mutual: false,
};
const CLOCK = { nowMs: () => 1_795_390_707_000, monotonicMs: () => performance.now() };

/** Two nodes of Go that have orders/ch, and a lookupd that knows both. */
class GoCluster implements AsyncDisposable {
  readonly nodes = [0, 1].map(() =>
    new FakeNode({
      "/stats": (request: Request) => {
        const includesClients = !request.url.includes("include_clients=false");
        const channel = goChannel("ch", {
          client_count: 1,
          clients: includesClients ? [CLIENT] : null,
          global_msg_count: 3,
          e2e_processing_latency: LATENCY,
        });
        return Response.json(goStats(goTopic("orders", [channel], { e2e_processing_latency: LATENCY })));
      },
      "/info": {
        version: "1.3.0",
        broadcast_address: "127.0.0.1",
        hostname: "vm",
        http_port: 0,
        tcp_port: 5186,
      },
      "POST /topic/pause": {},
      "POST /topic/delete": {},
      "POST /channel/empty": {},
      "POST /channel/create": {},
      "POST /channel/delete": {},
    })
  );
  readonly lookupd = new FakeNode({
    "/topics": { topics: ["orders", "idle"] },
    "/nodes": {
      producers: this.nodes.map(({ port }) => ({
        ...goProducer(port),
        topics: ["orders"],
        tombstones: [false],
      })),
    },
    "/channels": { channels: ["old"] },
    "/lookup": (request: Request) => {
      const topic = new URL(request.url).searchParams.get("topic");
      if (topic !== "orders" && topic !== "idle") {
        return Response.json({ message: "TOPIC_NOT_FOUND" }, { status: 404 });
      }
      const producers = topic === "orders" ? this.nodes.map(({ port }) => goProducer(port)) : [];
      return Response.json({ channels: ["ch"], producers });
    },
    "POST /topic/create": {},
    "POST /topic/delete": {},
    "POST /topic/tombstone": {},
    "POST /channel/create": {},
    "POST /channel/delete": {},
  });

  constructor() {
    for (const node of this.nodes) (node.answers["/info"] as { http_port: number }).http_port = node.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes, this.lookupd].map((node) => node[Symbol.asyncDispose]()));
  }
}

async function withCluster(
  run: (admin: TestAdmin, cluster: GoCluster) => Promise<void>,
  flagsOf: (cluster: GoCluster) => string[] = ({ lookupd }) => [`--lookupd-http-address=${lookupd.address}`],
): Promise<void> {
  await using cluster = new GoCluster();
  await using admin = await startAdmin(flagsOf(cluster), { clock: CLOCK });
  await run(admin, cluster);
}

const byNsqds = ({ nodes }: GoCluster) => nodes.map(({ address }) => `--nsqd-http-address=${address}`);

Deno.test("GET /ping is OK as text", async () => {
  await withCluster(async (admin) => {
    const response = await admin.request("GET", "/ping");
    assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
    assert.equal(await response.text(), "OK");
  });
});

Deno.test("GET /api/topics lists the topics of all lookupds, sorted, with the API's headers", async () => {
  await withCluster(async (admin) => {
    const response = await admin.request("GET", "/api/topics");
    assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(response.headers.get("x-nsq-content-type"), "nsq; version=1.0");
    assert.equal(await response.text(), '{"topics":["idle","orders"],"message":""}');
  });
  await withCluster(async (admin) => {
    assert.equal(await admin.ask("GET", "/api/topics"), '200 {"topics":["orders"],"message":""}');
  }, byNsqds);
});

Deno.test("GET /api/topics without a topic is null", async () => {
  await withCluster(async (admin, { lookupd }) => {
    lookupd.answers["/topics"] = { topics: [] };
    assert.equal(await admin.ask("GET", "/api/topics"), '200 {"topics":null,"message":""}');
  });
});

Deno.test("GET /api/topics warns of a lookupd that is down, and fails when all are", async () => {
  const dead = deadAddress();
  const refused = `Get \\"http://${dead}/topics\\": dial tcp ${dead}: connect: connection refused`;
  await withCluster(async (admin) => {
    assert.equal(
      await admin.ask("GET", "/api/topics"),
      `200 {"topics":["idle","orders"],"message":"WARNING: ${refused}"}`,
    );
  }, ({ lookupd }) => [`--lookupd-http-address=${lookupd.address}`, `--lookupd-http-address=${dead}`]);
  await withCluster(async (admin) => {
    assert.equal(
      await admin.ask("GET", "/api/topics"),
      `502 {"message":"UPSTREAM_ERROR: failed to query any nsqlookupd: ${refused}"}`,
    );
  }, () => [`--lookupd-http-address=${dead}`]);
});

Deno.test("GET /api/topics?inactive=true has the topics that no node has, with their channels", async () => {
  await withCluster(async (admin, { lookupd }) => {
    assert.equal(
      await admin.ask("GET", "/api/topics?inactive=true"),
      '200 {"topics":{"idle":["old"]},"message":""}',
    );
    lookupd.answers["/channels"] = { channels: [] };
    assert.equal(
      await admin.ask("GET", "/api/topics?inactive=true"),
      '200 {"topics":{"idle":null},"message":""}',
    );
    assert.equal(
      await admin.ask("GET", "/api/topics?inactive=1"),
      '200 {"topics":["idle","orders"],"message":""}',
    );
    assert.equal(
      await admin.ask("GET", "/api/topics?inactive=%zz"),
      '400 {"message":"invalid URL escape \\"%zz\\""}',
    );
  });
  await withCluster(async (admin) => {
    assert.equal(await admin.ask("GET", "/api/topics?inactive=true"), '200 {"topics":{},"message":""}');
  }, byNsqds);
});

Deno.test("GET /api/topics/:topic adds up what the nodes say, each apart from the sum", async () => {
  await withCluster(async (admin, { nodes }) => {
    const response = await admin.request("GET", "/api/topics/orders");
    const topic = await response.json();
    assert.deepEqual(Object.keys(topic), [
      "node",
      "hostname",
      "topic_name",
      "depth",
      "memory_depth",
      "backend_depth",
      "message_count",
      "delivery_msg_count",
      "nodes",
      "channels",
      "paused",
      "e2e_processing_latency",
      "message",
    ]);
    assert.deepEqual([topic.node, topic.hostname, topic.message_count, topic.paused], ["*", "", 6, false]);
    assert.deepEqual(
      topic.nodes.map(({ node }: { node: string }) => node).sort(),
      nodes.map(({ address }) => address).sort(),
    );
    const [channel] = topic.channels;
    assert.deepEqual([channel.node, channel.message_count, channel.client_count, channel.clients], [
      "*",
      6,
      2,
      null,
    ]);
    assert.equal(channel.nodes.length, 2);
    const own = topic.nodes[0].channels[0];
    assert.deepEqual([own.node, own.message_count, own.nodes], [topic.nodes[0].node, 3, null]);
    assert.equal(nodes[0].requests[0], "GET /stats?format=json&topic=orders&include_clients=false");
  });
});

Deno.test("GET /api/topics/:topic/:channel is the recorded answer of Go nsqadmin, member by member", async () => {
  await withCluster(async (admin, { nodes: [node] }) => {
    const text = await (await admin.request("GET", "/api/topics/orders/ch")).text();
    const client =
      `{"node":"${node.address}","remote_address":"127.0.0.1:57940","version":"V2","client_id":"vm","hostname":"vm","user_agent":"nsq_tail/1.3.0 go-nsq/1.1.0","connect_ts":1795390705,"connected":2000000000,"in_flight_count":0,"ready_count":100,"finish_count":3,"requeue_count":0,"message_count":3,"sample_rate":0,"deflate":false,"snappy":false,"authed":false,"auth_identity":"","auth_identity_url":"","tls":false,"tls_cipher_suite":"","tls_version":"","tls_negotiated_protocol":"","tls_negotiated_protocol_is_mutual":false}`;
    const head =
      `"topic_name":"orders","channel_name":"ch","depth":0,"memory_depth":0,"backend_depth":0,"in_flight_count":0,"deferred_count":0,"requeue_count":0,"timeout_count":0,"message_count":3,"delivery_msg_count":3,"global_msg_count":3,"client_count":1,`;
    const expected =
      `{"node":"*","hostname":"",${head}"nodes":[{"node":"${node.address}","hostname":"vm",${head}` +
      `"nodes":null,"clients":[${client}],"paused":false,` +
      `"e2e_processing_latency":{"count":3,"percentiles":[{"average":335820827,"count":3,"max":335820827,"min":335820827,"quantile":0.99,"value":335820827}],"topic":"","channel":"","host":""}}],` +
      `"clients":[${client}],"paused":false,` +
      `"e2e_processing_latency":{"count":3,"percentiles":[{"average":335820827,"count":3,"max":335820827,"min":335820827,"quantile":0.99}],"topic":"orders","channel":"ch","host":"*"},"message":""}`;
    assert.equal(text, expected);
  }, (cluster) => byNsqds(cluster).slice(0, 1));
});

Deno.test("GET /api/topics/:topic of an unknown topic fails as nobody knows it", async () => {
  await withCluster(async (admin) => {
    assert.equal(
      await admin.ask("GET", "/api/topics/nope"),
      '502 {"message":"UPSTREAM_ERROR: failed to query any nsqlookupd: got response 404 Not Found \\"{\\\\\\"message\\\\\\":\\\\\\"TOPIC_NOT_FOUND\\\\\\"}\\""}',
    );
    assert.equal(
      await admin.ask("GET", "/api/topics/idle"),
      '502 {"message":"UPSTREAM_ERROR: failed to query any nsqd: "}',
    );
    assert.equal(await admin.ask("GET", "/api/topics/orders/nope"), '500 {"message":"INTERNAL_ERROR"}');
  });
  await withCluster(async (admin) => {
    assert.equal(
      await admin.ask("GET", "/api/topics/nope"),
      '502 {"message":"UPSTREAM_ERROR: failed to query any nsqd: "}',
    );
  }, byNsqds);
});

Deno.test("GET /api/topics/:topic shows the nodes that answer, and warns of the others", async () => {
  await withCluster(async (admin, { nodes: [first] }) => {
    first.answers["/stats"] = refuse(500, "INTERNAL_ERROR");
    const topic = await (await admin.request("GET", "/api/topics/orders")).json();
    assert.equal(topic.message_count, 3);
    assert.equal(
      topic.message,
      'WARNING: got response 500 Internal Server Error "{\\"message\\":\\"INTERNAL_ERROR\\"}"',
    );
  });
});

Deno.test("GET /api/nodes merges what lookupds list, and marks those that are out of date", async () => {
  await withCluster(async (admin, { lookupd, nodes: [first, second] }) => {
    lookupd.answers["/nodes"] = {
      producers: [
        { ...goProducer(first.port), topics: ["b", "a"], tombstones: [true, false], topology_zone: "z1" },
        { ...goProducer(second.port), version: "1.2.1", hostname: "a", topics: [], tombstones: [] },
      ],
    };
    const nodes = [second, first].map(({ port }) => ({ port, remote: `127.0.0.1:${port + 10_000}` }));
    assert.equal(
      await admin.ask("GET", "/api/nodes"),
      `200 {"nodes":[{"remote_addresses":["${lookupd.address}/${nodes[0].remote}"],"remote_address":"${
        nodes[0].remote
      }","hostname":"a","broadcast_address":"127.0.0.1","tcp_port":${
        second.port - 1
      },"http_port":${second.port},"version":"1.2.1","topics":[],"out_of_date":true},` +
        `{"remote_addresses":["${lookupd.address}/${nodes[1].remote}"],"remote_address":"${
          nodes[1].remote
        }","hostname":"vm","broadcast_address":"127.0.0.1","tcp_port":${
          first.port - 1
        },"http_port":${first.port},"version":"1.3.0","topology_zone":"z1","topics":[{"topic":"a","tombstoned":false},{"topic":"b","tombstoned":true}],"out_of_date":false}],"message":""}`,
    );
    lookupd.answers["/nodes"] = { producers: [] };
    assert.equal(await admin.ask("GET", "/api/nodes"), '200 {"nodes":null,"message":""}');
  });
  await withCluster(async (admin) => {
    const { nodes: [node] } = await (await admin.request("GET", "/api/nodes")).json();
    assert.deepEqual([node.remote_addresses, node.remote_address, node.out_of_date], [null, "", false]);
    assert.deepEqual(node.topics, [{ topic: "orders", tombstoned: false }]);
  }, byNsqds);
});

Deno.test("GET /api/nodes/:node has the topics of one node with their clients", async () => {
  await withCluster(async (admin, { nodes: [node] }) => {
    const answer = await (await admin.request("GET", `/api/nodes/${node.address}`)).json();
    assert.deepEqual(Object.keys(answer), ["node", "topics", "total_messages", "total_clients", "message"]);
    assert.deepEqual([answer.node, answer.total_messages, answer.total_clients], [node.address, 3, 1]);
    assert.equal(answer.topics[0].channels[0].clients[0].client_id, "vm");
    assert.equal(await admin.ask("GET", "/api/nodes/127.0.0.1:9"), '404 {"message":"NODE_NOT_FOUND"}');
    node.answers["/stats"] = refuse(500, "X");
    assert.match(
      await admin.ask("GET", `/api/nodes/${node.address}`),
      /^502 .*failed to query any nsqd: got response 500/,
    );
  });
});

Deno.test("GET /api/counter has a count for each channel of each node", async () => {
  await withCluster(async (admin, { nodes: [first, second] }) => {
    const entry = ({ address }: FakeNode) =>
      `"orders:ch:${address}":{"node":"${address}","topic_name":"orders","channel_name":"ch","message_count":3}`;
    assert.equal(
      await admin.ask("GET", "/api/counter"),
      `200 {"stats":{${entry(first)},${entry(second)}},"message":""}`,
    );
  });
});

Deno.test("POST /api/topics creates in lookupds, and channels also on the nodes that have the topic", async () => {
  await withCluster(async (admin, { lookupd, nodes }) => {
    assert.equal(
      await admin.ask("POST", "/api/topics", '{"topic":"orders","channel":"x"}'),
      '200 {"message":""}',
    );
    assert.deepEqual(lookupd.posts, [
      "POST /topic/create?topic=orders",
      "POST /channel/create?topic=orders&channel=x",
    ]);
    for (const node of nodes) assert.deepEqual(node.posts, ["POST /channel/create?topic=orders&channel=x"]);
    assert.equal(await admin.ask("POST", "/api/topics", '{"topic":"new"}'), '200 {"message":""}');
    assert.equal(lookupd.posts.at(-1), "POST /topic/create?topic=new");
    assert.equal(nodes[0].posts.length, 1);
  });
  await withCluster(async (admin, { nodes }) => {
    assert.equal(await admin.ask("POST", "/api/topics", '{"topic":"new"}'), '200 {"message":""}');
    assert.equal(
      await admin.ask("POST", "/api/topics", '{"topic":"new","channel":"c"}'),
      '502 {"message":"UPSTREAM_ERROR: failed to query any nsqlookupd: "}',
    );
    assert.deepEqual(nodes[0].posts, []);
  }, byNsqds);
});

Deno.test("POST /api/topics says what is wrong with its body", async () => {
  const table: [body: string, answer: string][] = [
    ["", "EOF"],
    ["garbage", "invalid character 'g' looking for beginning of value"],
    ['{"topic":5}', "json: cannot unmarshal number into Go struct field .topic of type string"],
    ['{"topic":"', "unexpected EOF"],
    ["{}", "INVALID_TOPIC"],
    ['{"topic":"a b"}', "INVALID_TOPIC"],
    ['{"topic":"a","channel":"/"}', "INVALID_CHANNEL"],
  ];
  await withCluster(async (admin, { lookupd }) => {
    for (const [body, message] of table) {
      assert.equal(await admin.ask("POST", "/api/topics", body), `400 ${JSON.stringify({ message })}`);
    }
    assert.deepEqual(lookupd.posts, []);
  });
});

Deno.test("POST on a topic or channel asks all its nodes, and says which refused", async () => {
  await withCluster(async (admin, { lookupd, nodes: [first, second] }) => {
    assert.equal(await admin.ask("POST", "/api/topics/orders", '{"action":"pause"}'), '200 {"message":""}');
    assert.deepEqual([first.posts, second.posts], [
      ["POST /topic/pause?topic=orders"],
      ["POST /topic/pause?topic=orders"],
    ]);
    assert.equal(
      await admin.ask("POST", "/api/topics/orders/ch", '{"action":"empty"}'),
      '200 {"message":""}',
    );
    assert.equal(first.posts.at(-1), "POST /channel/empty?topic=orders&channel=ch");
    first.answers["POST /channel/empty"] = refuse(404, "CHANNEL_NOT_FOUND");
    second.answers["POST /channel/empty"] = refuse(404, "CHANNEL_NOT_FOUND");
    const refusal =
      'got response 404 Not Found \\"{\\\\\\"message\\\\\\":\\\\\\"CHANNEL_NOT_FOUND\\\\\\"}\\"';
    assert.equal(
      await admin.ask("POST", "/api/topics/orders/ch", '{"action":"empty"}'),
      `200 {"message":"WARNING: ${refusal}\\n${refusal}"}`,
    );
    assert.equal(
      await admin.ask("POST", "/api/topics/orders", '{"action":"create"}'),
      '400 {"message":"INVALID_ACTION"}',
    );
    assert.equal(await admin.ask("POST", "/api/topics/orders", ""), '400 {"message":"EOF"}');
    assert.deepEqual(lookupd.posts, []);
  });
});

Deno.test("POST on a channel whose name is escaped in the path reaches it", async () => {
  await withCluster(async (admin, { nodes: [first] }) => {
    await admin.ask("POST", "/api/topics/orders/tail%23ephemeral", '{"action":"empty"}');
    assert.equal(first.posts.at(-1), "POST /channel/empty?topic=orders&channel=tail%23ephemeral");
  });
});

Deno.test("DELETE of a topic or channel asks lookupds first, then the nodes that have it", async () => {
  await withCluster(async (admin, { lookupd, nodes: [first, second] }) => {
    assert.equal(await admin.ask("DELETE", "/api/topics/orders/ch"), '200 {"message":""}');
    assert.equal(await admin.ask("DELETE", "/api/topics/orders"), '200 {"message":""}');
    const posts = ["POST /channel/delete?topic=orders&channel=ch", "POST /topic/delete?topic=orders"];
    for (const { posts: sent } of [lookupd, first, second]) assert.deepEqual(sent, posts);
    assert.equal(await admin.ask("DELETE", "/api/topics/idle"), '200 {"message":""}');
    assert.equal(lookupd.posts.at(-1), "POST /topic/delete?topic=idle");
    assert.match(await admin.ask("DELETE", "/api/topics/nope"), /^502 .*TOPIC_NOT_FOUND/);
    assert.equal(lookupd.posts.length, 3);
  });
});

Deno.test("DELETE of a node tombstones a topic there, and deletes it on the node", async () => {
  await withCluster(async (admin, { lookupd, nodes: [node] }) => {
    assert.equal(
      await admin.ask("DELETE", `/api/nodes/${node.address}`, '{"topic":"orders"}'),
      '200 {"message":""}',
    );
    assert.deepEqual(lookupd.posts, [
      `POST /topic/tombstone?topic=orders&node=${encodeURIComponent(node.address)}`,
    ]);
    assert.deepEqual(node.posts, ["POST /topic/delete?topic=orders"]);
    const path = `/api/nodes/${node.address}`;
    assert.equal(await admin.ask("DELETE", path, "x"), '400 {"message":"INVALID_BODY"}');
    assert.equal(await admin.ask("DELETE", path, "{}"), '400 {"message":"INVALID_TOPIC"}');
    const dead = deadAddress();
    assert.equal(
      await admin.ask("DELETE", `/api/nodes/${dead}`, '{"topic":"orders"}'),
      `502 {"message":"UPSTREAM_ERROR: failed to query any nsqd: Get \\"http://${dead}/info\\": dial tcp ${dead}: connect: connection refused"}`,
    );
    assert.equal(lookupd.posts.length, 2);
  });
});

Deno.test("the API lets only those change anything whom the header names, and tells it before it reads", async () => {
  await withCluster(async (admin, { nodes: [node] }) => {
    const forbidden = '403 {"message":"FORBIDDEN"}';
    const requests: [string, string, string][] = [
      ["POST", "/api/topics", "garbage"],
      ["POST", "/api/topics/orders", '{"action":"pause"}'],
      ["DELETE", "/api/topics/orders", ""],
      ["DELETE", "/api/topics/orders/ch", ""],
      ["POST", "/api/topics/orders/ch", "garbage"],
      ["DELETE", `/api/nodes/${node.address}`, "garbage"],
    ];
    for (const [method, path, body] of requests) {
      assert.equal(await admin.ask(method, path, body), forbidden, `${method} ${path}`);
      assert.equal(await admin.ask(method, path, body, { "X-User": "eve" }), forbidden, `${method} ${path}`);
    }
    assert.equal((await admin.ask("GET", "/api/topics")).slice(0, 3), "200");
    assert.equal(
      await admin.ask("POST", "/api/topics/orders", '{"action":"pause"}', { "X-User": "matt" }),
      '200 {"message":""}',
    );
  }, ({ lookupd }) => [
    `--lookupd-http-address=${lookupd.address}`,
    ...["--acl-http-header=X-User", "--admin-user=matt", "--admin-user=jo"],
  ]);
});
