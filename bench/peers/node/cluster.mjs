// A node of `siren bench cluster` on the reference server: node cluster.mjs BROKER. It reads orders from its standard
// input, one JSON object a line, and answers each with a report, as bench/README.md says. It ends with its input.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const room = "bench";
const event = "tick";
// How many messages may wait for the broker before the node waits.
const queuedMax = 4096;
const turn = 64;

const broker = new URL(process.argv.at(-1));
const client = createClient({ url: `redis://${broker.host}` });
const subscriber = client.duplicate();
for (const c of [client, subscriber]) c.on("error", (err) => console.error(String(err)));
await Promise.all([client.connect(), subscriber.connect()]);

// The adapters publish without a wait. So the node counts the commands that have no answer yet.
let waiting = 0;
for (const name of ["publish", "sPublish", "xAdd"]) {
  const command = client[name].bind(client);
  client[name] = (...args) => {
    waiting++;
    const answer = command(...args);
    answer.finally(() => waiting--).catch(() => {});
    return answer;
  };
}

function adapter() {
  switch (broker.searchParams.get("adapter") ?? "classic") {
    case "classic":
      return createAdapter(client, subscriber);
    case "sharded":
      return createShardedAdapter(client, subscriber, { subscriptionMode: broker.searchParams.get("mode") ?? "dynamic" });
    case "streams":
      return createStreamsAdapter(client);
    default:
      throw new Error(`no such adapter: ${broker}`);
  }
}

const http = createServer();
const io = new Server(http, { adapter: adapter(), perMessageDeflate: false, serveClient: false });
io.on("connection", (socket) => socket.join(room));

const pause = (ms) => new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)));
// JSON has no 64-bit numbers, so nanoseconds are as exact as a double is: to 256 ns.
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1e6);

async function emitTicks({ count = 0, size = 0, rate = 0 }) {
  const filler = "x".repeat(size);
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    if (rate > 0) {
      while (performance.now() - began < (i / rate) * 1000) await pause(Math.floor((i / rate) * 1000 - (performance.now() - began)));
    } else if (i % turn === 0) {
      do await pause(0); while (waiting > queuedMax);
    }
    io.to(room).emit(event, i, now(), filler);
  }
  while (waiting > 0) await pause(0);
}

function report() {
  const { user, system } = process.cpuUsage();
  const { port } = http.address();
  console.log(JSON.stringify({ addr: `127.0.0.1:${port}`, cpu_us: user + system }));
}

await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
report();
for await (const line of createInterface({ input: process.stdin })) {
  await emitTicks(JSON.parse(line));
  report();
}
process.exit(0);
