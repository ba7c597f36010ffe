// Nodes of Siren and of the reference server in one cluster, in all combinations.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { call, eventually, record, shape, unique } from './harness/index.mjs';
import { Cluster, hasRedis } from './harness/cluster.mjs';

const ADAPTERS = (
  process.env.CLUSTER_ADAPTERS ??
  'adapter=classic,adapter=sharded,adapter=sharded&mode=static,adapter=sharded&mode=dynamic-private,adapter=streams,' +
    'nats,nats rooms=pattern,nats rooms=dynamic-private,embedded'
).split(',');
const PAIRS = [['siren', 'node'], ['node', 'siren'], ['siren', 'siren']];
const NATS = /^nats|^embedded/; // no adapter of the reference speaks it
const SID = /^[A-Za-z0-9_-]{20}$/;

/** Runs an operation and returns its one result. */
async function run(socket, ...words) {
  const [result] = await call(socket, ...words);
  return result;
}

/** Which of the sockets got an event, whose emission `emit` starts. A fence from the same node is the end. */
async function reached(cluster, emit, event, sockets, from) {
  const fence = unique('fence');
  const logs = sockets.map((s) => record(s, event, fence));
  await emit();
  await run(from, 'emit-all', fence);
  await Promise.all(logs.map((log) => log.until((items) => items.some(([name]) => name === fence), 'the fence')));
  sockets.forEach((s) => s.off(event).off(fence));
  return logs.map((log) => log.items.filter(([name]) => name === event));
}

// A node that joins a first member subscribes to the room's own channel, and nobody waits for that: a message to the
// room that another node publishes before the broker knows of the subscription does not come.
async function subscribed(from, socket, room) {
  const probe = unique('probe');
  const log = record(socket, probe);
  await eventually(async () => {
    await run(from, 'emit-room', { rooms: [room], event: probe });
    return log.items.length > 0;
  }, `the node has subscribed to ${room}`);
  socket.off(probe);
}

for (const adapter of ADAPTERS) {
  for (const kinds of PAIRS) {
    if (NATS.test(adapter) && kinds.includes('node')) continue;
    const skip = NATS.test(adapter) || hasRedis ? false : 'redis-server is not installed';
    describe(`${adapter}: ${kinds.join(' and ')}`, { concurrency: 1, skip }, () => {
      const cluster = new Cluster(adapter);
      let a1, a2, b1, b2, all;

      before(async () => {
        await cluster.start(kinds);
        const [a, b] = cluster.nodes;
        [a1, a2] = [await cluster.connect(a, { query: { me: 'a1' } }), await cluster.connect(a)];
        [b1, b2] = [await cluster.connect(b, { query: { me: 'b1' } }), await cluster.connect(b)];
        all = [a1, a2, b1, b2];
        await run(a1, 'join', ['x', 'only-a']);
        await run(b1, 'join', ['x', 'only-b']);
        await run(b2, 'join', [101, 'y']);
        for (const [from, socket, room] of [[b1, a1, 'x'], [b1, a1, 'only-a'], [a1, b1, 'x'], [a1, b1, 'only-b'], [a1, b2, 101], [a1, b2, 'y']]) {
          await subscribed(from, socket, room);
        }
      });
      after(() => cluster.stop());

      const VALUES = [
        1, -7, 300, 70000, 5000000000, 3.5, 'é😀', null, true, [[]], { a: { b: [null] } }, Buffer.from([1, 2, 255]), { deep: [Buffer.from('x')] },
      ];

      test('broadcasts reach those that are meant, with their values', async () => {
        const cases = [
          ['emit-all', null, [1, 1, 1, 1]],
          ['emit-room', { rooms: ['x'] }, [1, 0, 1, 0]],
          ['emit-room', { rooms: ['only-b'] }, [0, 0, 1, 0]],
          ['emit-room', { rooms: [101] }, [0, 0, 0, 1]],
          ['emit-room', { rooms: ['x', 'y'] }, [1, 0, 1, 1]],
          ['emit-room', { rooms: ['x', 'y'], except: ['only-a'] }, [0, 0, 1, 1]],
          ['emit-room', { except: ['x'] }, [0, 1, 0, 1]],
          ['emit-room', { rooms: [b1.id] }, [0, 0, 1, 0]],
          ['emit-room', { rooms: ['nobody'] }, [0, 0, 0, 0]],
          ['emit-room', { rooms: ['x'], flags: { local: true } }, [1, 0, 0, 0]],
          ['broadcast-room', {}, [0, 1, 1, 1]],
          ['broadcast-room', { rooms: ['x'] }, [0, 0, 1, 0]],
        ];
        for (const [op, o, want] of cases) {
          const event = unique('event');
          const emit = () => (o === null ? run(a1, op, event, ...VALUES) : run(a1, op, { ...o, event, args: VALUES }));
          const got = await reached(cluster, emit, event, all, a1);
          assert.deepEqual(got.map((items) => items.length), want, `${op} ${JSON.stringify(o)}`);
          for (const [, ...values] of got.flat()) assert.deepEqual(shape(values), shape(VALUES));
        }
      });

      test('times arrive as texts, volatile events when there is room', async () => {
        const event = unique('event');
        const emit = () => run(a1, 'emit-room', {
          rooms: ['x'], flags: { volatile: true }, event, args: [{ $date: 1700000000123 }, { t: [{ $date: 1700000000000 }] }],
        });
        for (const items of [(await reached(cluster, emit, event, [b1], a1))[0], (await reached(cluster, emit, event, [a1], a1))[0]]) {
          assert.deepEqual(items, [[event, '2023-11-14T22:13:20.123Z', { t: ['2023-11-14T22:13:20.000Z'] }]]);
        }
      });

      test('acknowledgements of all, of none, and of some', async () => {
        const event = unique('ask');
        all.forEach((s, i) => s.on(event, (v, answer) => answer(i === 3 ? Buffer.from([9]) : [i, v])));
        const some = await run(a1, 'call-all', { event, args: ['v'], timeout_ms: 5000 });
        assert.equal(some.err, null);
        const sorted = shape(some.replies).map((r) => JSON.stringify(r)).sort();
        assert.deepEqual(sorted, shape([[0, 'v'], [1, 'v'], [2, 'v'], Buffer.from([9])]).map((r) => JSON.stringify(r)).sort());
        assert.deepEqual(await run(a1, 'call-all', { rooms: ['nobody'], event, args: ['v'], timeout_ms: 5000 }), { err: null, replies: [] });
        assert.deepEqual(await run(a1, 'call-all', { rooms: ['only-b'], event, args: ['w'], timeout_ms: 5000 }), { err: null, replies: [[2, 'w']] });
        b2.off(event);
        const late = await run(a1, 'call-all', { event, args: ['v'], timeout_ms: 1000 });
        assert.equal(late.replies.length, 3);
        assert.notEqual(late.err, null);
        all.forEach((s) => s.off(event));
      });

      test('sockets are fetched with their rooms, data and query', async () => {
        await run(b1, 'set-data', { name: 'bee', list: [1, { x: null }] });
        const { err, sockets } = await run(a1, 'fetch', {});
        assert.equal(err, null);
        assert.deepEqual(sockets.map((s) => s.id).sort(), all.map((s) => s.id).sort());
        const bee = sockets.find((s) => s.id === b1.id);
        assert.match(bee.id, SID);
        assert.deepEqual([bee.rooms, bee.data, bee.query.me], [['only-b', 'x'], { name: 'bee', list: [1, { x: null }] }, 'b1']);
        const ant = sockets.find((s) => s.id === a2.id);
        assert.deepEqual([ant.rooms, ant.data], [[], {}]);
        const ids = async (o) => (await run(a1, 'fetch', o)).sockets.map((s) => s.id).sort();
        assert.deepEqual(await ids({ rooms: ['x'], except: ['only-a'] }), [b1.id]);
        assert.deepEqual(await ids({ flags: { local: true } }), [a1.id, a2.id].sort());
        assert.deepEqual(await ids({ rooms: ['nobody'] }), []);
      });

      test('sockets of all nodes are moved', async () => {
        const room = unique('room');
        await run(a1, 'sockets-join', { rooms: ['x'], to: [room, 'more'] });
        await eventually(async () => (await run(b1, 'rooms')).includes(room), 'the other node has joined');
        assert.deepEqual((await run(a1, 'fetch', { rooms: [room] })).sockets.map((s) => s.id).sort(), [a1.id, b1.id].sort());
        await run(a1, 'sockets-leave', { rooms: ['only-b'], to: [room] });
        await eventually(async () => !(await run(b1, 'rooms')).includes(room), 'the other node has left');
        assert.ok((await run(a1, 'rooms')).includes(room));
        await run(a1, 'sockets-leave', { to: [room, 'more'] });
        await eventually(async () => !(await run(b1, 'rooms')).includes('more'), 'everybody has left');
      });

      test('events between servers', async () => {
        const log = record(b1, 'from-node');
        const own = record(a1, 'from-node');
        await run(a1, 'server-side-emit', { event: 'sse-a', args: ['hi', { a: [1] }] });
        await log.until((items) => items.length === 1, 'the event');
        assert.deepEqual(log.items[0], ['from-node', 'sse-a', 'hi', { a: [1] }]);
        const { err, replies } = await run(a1, 'server-side-emit-ack', { event: 'sse-b', args: [], timeout_ms: 5000 });
        assert.deepEqual([err, replies], [null, [cluster.nodes[1].name]]);
        await log.until((items) => items.length === 2, 'the event');
        assert.equal(own.length, 0);
        [a1, b1].forEach((s) => s.off('from-node'));
        assert.equal(await run(a1, 'server-count'), 2);
      });

      test('namespaces are apart', async () => {
        const [ca, cb] = [await cluster.connect(cluster.nodes[0], { nsp: '/chat' }), await cluster.connect(cluster.nodes[1], { nsp: '/chat' })];
        await run(cb, 'join', 'x');
        await subscribed(ca, cb, 'x');
        const event = unique('event');
        assert.deepEqual((await reached(cluster, () => run(ca, 'emit-room', { rooms: ['x'], event }), event, [ca, cb], ca)).map((i) => i.length), [0, 1]);
        assert.deepEqual((await run(ca, 'fetch', {})).sockets.map((s) => s.id).sort(), [ca.id, cb.id].sort());
        [ca, cb].forEach((s) => s.disconnect());
      });

      test('the order of one node is kept, across rooms', async () => {
        const event = unique('event');
        const log = record(b1, event);
        const calls = [];
        for (let i = 0; i < 600; i++) {
          const o = [['emit-all', event, i], ['emit-room', { rooms: ['x'], event, args: [i] }], ['emit-room', { rooms: ['x', 'y'], event, args: i < 30 ? [i, Buffer.from([1])] : [i] }]];
          calls.push(o[i % 3]);
        }
        await run(a1, 'batch', calls);
        await log.until((items) => items.length === 600, 'all of them');
        assert.deepEqual(log.items.map(([, i]) => i), [...Array(600).keys()]);
        b1.off(event);
      });

      test('a burst arrives whole', async () => {
        const event = unique('burst');
        const log = record(b1, event);
        await run(a1, 'burst', { rooms: ['x'], event, count: 5000, size: 200 });
        await log.until((items) => items.length === 5000, 'all of them');
        assert.ok(log.items.every(([, i, x], n) => i === n && x.length === 200));
        b1.off(event);
      });

      test('the emitter of the reference reaches both nodes', { skip: adapter !== 'adapter=classic' && 'it speaks the classic format only' }, async (t) => {
        const client = createClient({ url: `redis://127.0.0.1:${cluster.port}` });
        await client.connect();
        t.after(() => client.close());
        const emitter = new Emitter(client);
        const [event, room] = [unique('event'), unique('room')];
        const [la, lb] = [record(a1, event, 'from-node'), record(b1, event, 'from-node')];
        emitter.to('x').except('only-a').emit(event, 1, Buffer.from([7]));
        emitter.emit(event, 2);
        emitter.serverSideEmit('sse-a', 'hi');
        await lb.until((items) => items.length === 3, 'the events');
        await la.until((items) => items.length === 2, 'the events');
        assert.deepEqual(shape(lb.items.filter(([e]) => e === event)), shape([[event, 1, Buffer.from([7])], [event, 2]]));
        assert.deepEqual(la.items.filter(([e]) => e === event), [[event, 2]]);
        emitter.in('x').socketsJoin(room);
        await eventually(async () => (await run(a1, 'fetch', { rooms: [room] })).sockets.length === 2, 'both have joined');
        emitter.in(room).socketsLeave(room);
        await eventually(async () => (await run(a1, 'fetch', { rooms: [room] })).sockets.length === 0, 'both have left');
        [a1, b1].forEach((s) => s.off(event).off('from-node'));
      });

      test('each node is counted once, and sockets of other nodes are disconnected', async () => {
        if (adapter === 'adapter=classic') {
          assert.match(cluster.redisCommand('PUBSUB', 'NUMSUB', 'socket.io-request#/#'), /\n2$/);
        }
        const gone = await cluster.connect(cluster.nodes[1]);
        await run(gone, 'join', 'gone');
        const left = new Promise((resolve) => gone.once('disconnect', resolve));
        await run(a1, 'disconnect-sockets', { rooms: ['gone'] });
        assert.equal(await left, 'io server disconnect');
        const dropped = await cluster.connect(cluster.nodes[1], { reconnection: false });
        await run(dropped, 'join', 'gone');
        const closed = new Promise((resolve) => dropped.once('disconnect', resolve));
        await run(a1, 'disconnect-sockets', { rooms: ['gone'], close: true });
        assert.ok(['io server disconnect', 'transport close'].includes(await closed));
      });
    });
  }
}
