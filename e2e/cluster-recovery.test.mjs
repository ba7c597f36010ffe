// Clients that are cut off at one node and come back at another, of Siren or of the reference server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { call, eventually, next, record, unique } from './harness/index.mjs';
import { Cluster, hasRedis } from './harness/cluster.mjs';

const PAIRS = [['siren', 'siren'], ['siren', 'node'], ['node', 'siren']];

/** Runs an operation and returns its one result. */
async function run(socket, ...words) {
  const [result] = await call(socket, ...words);
  return result;
}

/** Cuts a client off, as a network does: the server is not told anything. */
function cut(socket) {
  socket.io.engine.close = () => {};
  const gone = next(socket, 'disconnect');
  socket.io.opts.reconnection = false;
  socket.io.engine.transport.ws.terminate?.() ?? socket.io.engine.transport.ws.close();
  return gone;
}

/** Connects a client to a node with the private id and the offset of another one. */
async function comeBack(cluster, node, old, handlers = []) {
  const socket = io(`http://127.0.0.1:${node.port}${old.nsp}`, { transports: ['websocket'], forceNew: true, autoConnect: false });
  cluster.sockets.push(socket);
  socket._pid = old._pid;
  socket._lastOffset = old._lastOffset;
  const log = record(socket, ...handlers);
  const connected = next(socket, 'connect');
  socket.connect();
  await connected;
  return { socket, log };
}

/**
 * Waits until the client has an offset. When the broker is slow, because the machine is busy, events come without one:
 * clients that are cut off then are new ones.
 */
const hasOffset = (socket) =>
  eventually(async () => {
    if (/^\d+-\d+$/.test(socket._lastOffset)) return true;
    await run(socket, 'emit-self', 'first');
    return false;
  }, 'the client has an offset');

/** A client that was cut off, with an offset, and whose session is with the broker. */
async function away(cluster, member) {
  for (;;) {
    const gone = await member();
    await cut(gone.socket);
    if (!/^\d+-\d+$/.test(gone.socket._lastOffset)) continue;
    await saved(cluster, gone.socket);
    return gone;
  }
}

/** Waits until a session is with the broker. */
const saved = (cluster, socket) =>
  eventually(() => cluster.redisCommand('EXISTS', `sio:session:${socket._pid}`) === '1', 'the session is saved');

for (const kinds of PAIRS) {
  for (const nsp of ['/', '/chat']) {
    describe(`recovery from ${kinds.join(' to ')} in ${nsp}`, { concurrency: 1, skip: hasRedis ? false : 'redis-server is not installed' }, () => {
      const cluster = new Cluster('adapter=streams&recovery=1');
      let from, to, other;

      before(async () => {
        await cluster.start(kinds);
        [from, to] = cluster.nodes;
        other = await cluster.connect(to, { nsp });
      });
      after(() => cluster.stop());

      /** A client with rooms and data that has got an event, and so has an offset. */
      async function member() {
        const socket = await cluster.connect(from, { nsp });
        const room = unique('room');
        await run(socket, 'join', [room, 'all']);
        await run(socket, 'set-data', { name: room, list: [1, { x: null }] });
        const log = record(socket, 'first');
        await run(socket, 'emit-self', 'first', { v: 1 });
        await log.until((items) => items.length > 0, 'the first event');
        await hasOffset(socket);
        return { socket, room };
      }

      test('the same id, rooms and data, and what was missed, once and in order', async () => {
        const { socket, room } = await away(cluster, member);
        const event = unique('missed');
        for (let i = 0; i < 20; i++) {
          await run(other, 'emit-room', { rooms: [room], event, args: [i, i % 2 ? 'text' : Buffer.from([i])] });
          await run(other, 'emit-room', { rooms: ['elsewhere'], event, args: ['not for it'] });
          await run(other, 'emit-room', { except: [room], event, args: ['not for it'] });
        }
        await run(other, 'emit-room', { rooms: [socket.id, room, 'all'], event, args: ['once'] });
        await run(other, 'emit-all', event, 'last');
        const id = socket.id ?? (await eventually(() => socket._pid && other.id, 'an id'));
        const { socket: back, log } = await comeBack(cluster, to, socket, [event]);
        assert.equal(back.recovered, true);
        await run(other, 'emit-room', { rooms: [room], event, args: ['live'] });
        await log.until((items) => items.some(([, v]) => v === 'live'), 'the live event');
        const values = log.items.map(([, v]) => (Buffer.isBuffer(v) ? v[0] : v));
        assert.deepEqual(values, [...Array(20).keys(), 'once', 'last', 'live']);
        assert.deepEqual(await run(back, 'rooms'), ['all', room].sort());
        const { sockets } = await run(other, 'fetch', { rooms: [room] });
        assert.deepEqual(sockets.map((s) => [s.id, s.data]), [[back.id, { name: room, list: [1, { x: null }] }]]);
        assert.ok(id);
        back.disconnect();
      });

      test('a session resumes once, and an unknown one or a wrong offset never', async () => {
        const { socket } = await away(cluster, member);
        const { socket: back } = await comeBack(cluster, to, socket);
        assert.equal(back.recovered, true);
        const { socket: again } = await comeBack(cluster, to, socket);
        assert.equal(again.recovered, false);
        assert.notEqual(again.id, back.id);
        const { socket: lost } = await member();
        await cut(lost);
        await saved(cluster, lost);
        for (const [_pid, _lastOffset] of [['unknown', lost._lastOffset], [lost._pid, '1-1-1'], [lost._pid, 'x']]) {
          const { socket: fresh } = await comeBack(cluster, to, { nsp, _pid, _lastOffset });
          assert.equal(fresh.recovered, false);
          fresh.disconnect();
        }
        back.disconnect();
        again.disconnect();
      });

      test('a client that comes back goes on, and comes back again at the first node', async () => {
        const { socket, room } = await away(cluster, member);
        const { socket: back, log } = await comeBack(cluster, to, socket, ['while']);
        assert.equal(back.recovered, true);
        await run(other, 'emit-room', { rooms: [room], event: 'while', args: [1] });
        await log.until((items) => items.length === 1, 'an event meanwhile');
        await hasOffset(back);
        await cut(back);
        await saved(cluster, back);
        await run(other, 'emit-room', { rooms: [room], event: 'while', args: [2] });
        const { socket: home, log: second } = await comeBack(cluster, from, back, ['while']);
        assert.equal(home.recovered, true);
        await second.until((items) => items.length === 1, 'what was missed');
        assert.deepEqual(second.items[0].slice(0, 2), ['while', 2]);
        assert.ok((await run(home, 'rooms')).includes(room));
        home.disconnect();
      });
    });
  }
}

describe('recovery at nodes of Siren', { concurrency: 1, skip: hasRedis ? false : 'redis-server is not installed' }, () => {
  const cluster = new Cluster('adapter=streams&recovery=1');
  let from, to, other;
  before(async () => {
    await cluster.start(['siren', 'siren']);
    [from, to] = cluster.nodes;
    other = await cluster.connect(to);
  });
  after(() => cluster.stop());

  async function member(node = from) {
    const socket = await cluster.connect(node);
    const room = unique('room');
    await run(socket, 'join', [room]);
    const log = record(socket, 'first');
    await run(socket, 'emit-self', 'first');
    await log.until((items) => items.length > 0, 'the first event');
    await hasOffset(socket);
    return { socket, room };
  }

  test('volatile events are not sent again', async () => {
    const { socket, room } = await away(cluster, member);
    await run(other, 'emit-room', { rooms: [room], event: 'v', args: ['volatile'], flags: { volatile: true } });
    await run(other, 'emit-room', { rooms: [room], event: 'v', args: ['kept'] });
    const { log } = await comeBack(cluster, to, socket, ['v']);
    await log.until((items) => items.length > 0, 'what was missed');
    assert.deepEqual(log.items.map(([, v]) => v), ['kept']);
  });

  test('a node that started later reads what it has not seen, and a trimmed stream is told', async () => {
    const { socket, room } = await member();
    const { socket: second } = await member();
    await cut(socket);
    await cut(second);
    await saved(cluster, socket);
    await saved(cluster, second);
    for (let i = 0; i < 50; i++) await run(other, 'emit-room', { rooms: [room], event: 'm', args: [i] });
    const late = await cluster.add('siren');
    const { socket: back, log } = await comeBack(cluster, late, socket, ['m']);
    assert.equal(back.recovered, true);
    await log.until((items) => items.length === 50, 'what was missed');
    assert.deepEqual(log.items.map(([, v]) => v), [...Array(50).keys()]);
    cluster.redisCommand('XTRIM', 'socket.io', 'MAXLEN', '5');
    const later = await cluster.add('siren');
    const { socket: fresh } = await comeBack(cluster, later, second);
    assert.equal(fresh.recovered, false);
  });

  test('clients of a node that ends come back at another', async () => {
    const node = await cluster.add('siren');
    const { socket, room } = await member(node);
    const gone = next(socket, 'disconnect');
    socket.io.opts.reconnection = false;
    node.child.signal('SIGTERM');
    await gone;
    await saved(cluster, socket);
    await run(other, 'emit-room', { rooms: [room], event: 'e', args: [1] });
    const { socket: back, log } = await comeBack(cluster, to, socket, ['e']);
    assert.equal(back.recovered, true);
    await log.until((items) => items.length === 1, 'what was missed');
  });

  test('emits, acknowledgements and ends keep their order', async () => {
    const { socket } = await member();
    const log = record(socket, 'a', 'b');
    const gone = next(socket, 'disconnect');
    socket.emit('batch', [
      ...Array.from({ length: 50 }, (_, i) => (i % 2 ? ['emit-self', 'a', i] : ['emit-all', 'b', i])),
      ['disconnect-sockets', { rooms: [socket.id] }],
    ]);
    await gone;
    assert.deepEqual(log.items.map(([, v]) => v), [...Array(50).keys()]);
  });

  test('a frozen broker holds up no client for long, and clients are new then', async () => {
    const { socket } = await member();
    const { socket: stays } = await member();
    await cut(socket);
    await saved(cluster, socket);
    const log = record(stays, 'n');
    cluster.broker.signal('SIGSTOP');
    try {
      for (let i = 0; i < 10; i++) await run(stays, 'emit-self', 'n', i);
      await log.until((items) => items.length === 10, 'local events');
      const begin = Date.now();
      const { socket: fresh } = await comeBack(cluster, from, socket);
      assert.equal(fresh.recovered, false);
      assert.ok(Date.now() - begin < 10_000);
    } finally {
      cluster.broker.signal('SIGCONT');
    }
    await eventually(async () => {
      const event = unique('after');
      const got = record(other, event);
      await run(stays, 'emit-all', event);
      await new Promise((resolve) => setTimeout(resolve, 100));
      return got.items.length === 1;
    }, 'the cluster works again');
    assert.deepEqual(log.items.map(([, v]) => v), [...Array(10).keys()]);
  });
});
