// A node of a cluster on the reference server: what `fixture -cluster BROKER -port PORT` is on Siren. It prints "ready".

import { createServer } from 'node:http';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const [broker, port] = process.argv.slice(2);
const url = new URL(broker);
const client = createClient({ url: `redis://${url.host}` });
const subscriber = client.duplicate();
for (const c of [client, subscriber]) c.on('error', () => {});
await Promise.all([client.connect(), subscriber.connect()]);

function adapter() {
  switch (url.searchParams.get('adapter') ?? 'classic') {
    case 'classic':
      return createAdapter(client, subscriber);
    case 'sharded':
      return createShardedAdapter(client, subscriber, { subscriptionMode: url.searchParams.get('mode') ?? 'dynamic' });
    case 'streams':
      return createStreamsAdapter(client);
    default:
      throw new Error(`no such adapter: ${broker}`);
  }
}

const options = { adapter: adapter(), cors: { origin: '*' } };
if (url.searchParams.get('recovery') === '1') {
  options.connectionStateRecovery = { maxDisconnectionDuration: 120_000 };
}
const http = createServer();
const io = new Server(http, options);

const list = (v) => (Array.isArray(v) ? v : [v]);

/** Dates in place of {"$date": ms}. */
function native(v) {
  if (Array.isArray(v)) return v.map(native);
  if (v === null || typeof v !== 'object' || Buffer.isBuffer(v)) return v;
  if ('$date' in v) return new Date(v.$date);
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, native(x)]));
}

function select(operator, { rooms = [], except = [], flags = {}, timeout_ms: timeout } = {}) {
  let o = operator;
  for (const room of rooms) o = o.to(room);
  for (const room of except) o = o.except(room);
  if (flags.volatile) o = o.volatile;
  if (flags.local) o = o.local;
  if (timeout) o = o.timeout(timeout);
  return o;
}

/** The operator for a whole namespace: a namespace itself keeps no flags. */
const everybody = (nsp) => nsp.except([]);

const operations = {
  ping: (nsp, socket, [v]) => v,
  join: async (nsp, socket, [rooms]) => void (await socket.join(list(rooms))),
  leave: async (nsp, socket, [rooms]) => {
    for (const room of list(rooms)) await socket.leave(room);
  },
  rooms: (nsp, socket) => [...socket.rooms].filter((r) => r !== socket.id).map(String).sort(),
  'emit-self': (nsp, socket, [event, ...args]) => void socket.emit(event, ...native(args)),
  'emit-all': (nsp, socket, [event, ...args]) => void nsp.emit(event, ...native(args)),
  'emit-room': (nsp, socket, [o]) => void select(everybody(nsp), o).emit(o.event, ...native(o.args ?? [])),
  'broadcast-room': (nsp, socket, [o]) => void select(socket.broadcast, o).emit(o.event, ...native(o.args ?? [])),
  burst: async (nsp, socket, [o]) => {
    const filler = 'x'.repeat(o.size);
    for (let i = 0; i < o.count; i++) {
      select(everybody(nsp), o).emit(o.event, i, filler);
      if (i % 100 === 99) await new Promise(setImmediate);
    }
  },
  'call-all': (nsp, socket, [o]) =>
    new Promise((resolve) => {
      select(everybody(nsp), o).emit(o.event, ...native(o.args ?? []), (err, replies) =>
        resolve({ err: err ? String(err.message ?? err) : null, replies: replies ?? [] }));
    }),
  fetch: async (nsp, socket, [o]) => {
    const sockets = await select(everybody(nsp), o).fetchSockets();
    return {
      err: null,
      sockets: sockets.map((s) => ({
        id: s.id, rooms: [...s.rooms].filter((r) => r !== s.id).map(String).sort(), data: s.data, query: s.handshake.query,
      })),
    };
  },
  'set-data': (nsp, socket, [v]) => void (socket.data = v),
  'sockets-join': (nsp, socket, [o]) => void select(everybody(nsp), o).socketsJoin(o.to),
  'sockets-leave': (nsp, socket, [o]) => void select(everybody(nsp), o).socketsLeave(o.to),
  'disconnect-sockets': (nsp, socket, [o]) => void select(everybody(nsp), o).disconnectSockets(o.close ?? false),
  'server-side-emit': (nsp, socket, [o]) => void nsp.serverSideEmit(o.event, ...native(o.args ?? [])),
  'server-side-emit-ack': (nsp, socket, [o]) =>
    new Promise((resolve) => {
      nsp.serverSideEmit(o.event, ...native(o.args ?? []), (err, replies) =>
        resolve({ err: err ? String(err.message ?? err) : null, replies: replies ?? [] }));
    }),
  'server-count': (nsp) => nsp.adapter.serverCount(),
};

for (const name of ['/', '/chat']) {
  const nsp = io.of(name);
  for (const event of ['sse-a', 'sse-b']) {
    nsp.on(event, (...args) => {
      const answer = typeof args.at(-1) === 'function' ? args.pop() : () => {};
      nsp.local.emit('from-node', event, ...args);
      answer(port);
    });
  }
  nsp.on('connection', (socket) => {
    for (const [event, run] of Object.entries(operations)) {
      socket.on(event, async (...args) => {
        const answer = typeof args.at(-1) === 'function' ? args.pop() : () => {};
        try {
          const result = await run(nsp, socket, args);
          if (result === undefined) answer();
          else answer(result);
        } catch (err) {
          answer({ err: String(err.message ?? err) });
        }
      });
    }
    socket.on('batch', (calls, answer) => {
      for (const [event, ...args] of calls) void operations[event](nsp, socket, args);
      answer?.();
    });
  });
}

// A node of the reference is in the cluster when the broker has confirmed its subscriptions.
await subscriber.ping();
http.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
process.once('SIGTERM', () => {
  setTimeout(() => process.exit(0), 2_000).unref();
  io.close(() => process.exit(0));
});
