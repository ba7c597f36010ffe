// Operators on many sockets: broadcasts with acknowledgements; fetching, moving and disconnecting sockets.

import assert from 'node:assert/strict';
import {
  call, disconnection, eventually, matrix, next, reasonOf, record, shape, suite, unique, upTo,
} from './harness/index.mjs';

const ALL = { from: 'nsp' };

/** A room with n sockets in it. */
async function crowd(bench, n, options) {
  const sockets = await Promise.all(upTo(n).map(() => bench.connect(options)));
  const room = unique('room');
  for (const s of sockets) await call(s, 'join', room);
  return { sockets, room, here: { ...ALL, to: [room] } };
}

/** Has sockets answer an event with what `answer(socket, ...args)` returns; undefined is no answer. */
function answering(sockets, event, answer) {
  for (const s of sockets) {
    s.on(event, (...args) => {
      const ack = args.pop();
      const value = answer(s, ...args);
      if (value !== undefined) ack(value, 'more');
    });
  }
}

const sorted = (values) => values.map((v) => JSON.stringify(v)).sort().map((v) => JSON.parse(v));

suite('operators', (fixture) => {
  matrix('a broadcast with acknowledgements brings the answer of everyone', fixture, async (bench) => {
    const { sockets, here } = await crowd(bench, 4);
    const event = unique('ask');
    answering(sockets, event, (s, a, b) => ({ id: s.id, a, b: shape(b) }));
    for (const round of upTo(3)) {
      const got = await call(sockets[0], 'broadcast-with-ack', { ...here, timeout: 10_000 }, event, round, Buffer.from([round]));
      const want = sockets.map((s) => ({ id: s.id, a: round, b: { $bin: `0${round}` } }));
      assert.deepEqual([got[0], sorted(got[1])], [null, sorted(want)]);
    }
    // Without an origin the sender is not asked.
    const others = await call(sockets[0], 'broadcast-with-ack', { to: here.to, timeout: 10_000 }, event, 'x');
    assert.deepEqual(sorted(others[1].map(({ id }) => id)), sorted(sockets.slice(1).map((s) => s.id)));
  });

  matrix('a broadcast with acknowledgements to nobody answers at once', fixture, async (bench) => {
    const socket = await bench.connect();
    const nobody = { ...ALL, to: [unique('nowhere')], timeout: 60_000 };
    assert.deepEqual(await call(socket, 'broadcast-with-ack', nobody, 'x'), [null, []]);
    assert.deepEqual(await call(socket, 'broadcast-with-ack', { ...ALL, to: [socket.id], except: [socket.id], timeout: 60_000 }, 'x'), [null, []]);
  });

  matrix('at the time-out the answers that came', fixture, async (bench) => {
    const { sockets, here } = await crowd(bench, 3);
    const event = unique('ask');
    answering(sockets, event, (s) => (s === sockets[1] ? undefined : s.id));
    const [err, got] = await call(sockets[0], 'broadcast-with-ack', { ...here, timeout: 2_000 }, event);
    assert.equal(err, 'timeout');
    assert.deepEqual(sorted(got), sorted([sockets[0].id, sockets[2].id]));
    // A late answer and an empty one do no harm.
    assert.deepEqual(await call(sockets[1], 'id'), [sockets[1].id]);
  });

  matrix('nobody is waited for who has left', fixture, async (bench) => {
    const { sockets, here } = await crowd(bench, 3);
    const event = unique('ask');
    answering(sockets, event, (s) => {
      if (s !== sockets[2]) return s.id;
      s.disconnect();
      return undefined;
    });
    const [err, got] = await call(sockets[0], 'broadcast-with-ack', { ...here, timeout: 600_000 }, event);
    assert.equal(err, 'timeout');
    assert.deepEqual(sorted(got), sorted([sockets[0].id, sockets[1].id]));
  });

  matrix('acknowledgements of broadcasts and of single sockets do not mix', fixture, async (bench) => {
    const { sockets, here } = await crowd(bench, 2);
    const event = unique('ask');
    answering(sockets, event, (s, i) => i);
    sockets[0].on('emit-with-ack', (i, ack) => ack(i));
    const single = record(sockets[0], 'emit-with-ack-result');
    const rounds = await Promise.all(
      upTo(30).map((i) => {
        sockets[0].emit('emit-with-ack', i);
        return call(sockets[0], 'broadcast-with-ack', { ...here, timeout: 15_000 }, event, i);
      }),
    );
    assert.deepEqual(rounds, upTo(30).map((i) => [null, [i, i]]));
    assert.deepEqual((await single.count(30)).map(([, i]) => i), upTo(30));
  });

  matrix('an acknowledgement with a time-out', fixture, async (bench) => {
    const socket = await bench.connect();
    socket.once('emit-with-timeout', (v, ack) => ack(v, 'more'));
    let result = next(socket, 'emit-with-timeout-result');
    socket.emit('emit-with-timeout', 10_000, { a: [1] });
    assert.deepEqual(await result, ['ok', { a: [1] }]);
    socket.once('emit-with-timeout', (ack) => ack());
    result = next(socket, 'emit-with-timeout-result');
    socket.emit('emit-with-timeout', 10_000);
    assert.deepEqual(await result, ['ok', null]);
    result = next(socket, 'emit-with-timeout-result');
    socket.emit('emit-with-timeout', 5, 'never answered');
    assert.deepEqual(await result, ['timeout', null]);
  });

  matrix('fetched sockets tell their rooms, data and auth', fixture, async (bench) => {
    const auth = { name: unique('name') };
    const { sockets, room, here } = await crowd(bench, 3, { auth });
    const [a, b, c] = sockets;
    const extra = unique('extra');
    await call(b, 'join', extra);
    await call(b, 'set-data', { n: 1, list: ['x'] });
    const view = (s, rooms, data) => ({ id: s.id, rooms: rooms.sort(), data, auth });
    const all = [view(a, [room], null), view(b, [room, extra], { n: 1, list: ['x'] }), view(c, [room], null)];
    const byId = (list) => list.sort((x, y) => (x.id < y.id ? -1 : 1));
    assert.deepEqual(await call(a, 'fetch-sockets', here), [byId([...all])]);
    assert.deepEqual(await call(a, 'fetch-sockets', { ...here, except: [extra] }), [byId([all[0], all[2]])]);
    assert.deepEqual(await call(a, 'fetch-sockets', { to: [extra, a.id] }), [byId([all[0], all[1]])]);
    assert.deepEqual(await call(a, 'fetch-sockets', { from: 'socket', to: [room] }), [byId([all[1], all[2]])]);
    assert.deepEqual(await call(a, 'fetch-sockets', { to: [unique('nowhere')] }), [[]]);
    await call(a, 'join', extra);
    assert.deepEqual((await call(a, 'fetch-sockets', { to: [extra] }))[0].map((s) => s.id), [a.id, b.id].sort());
  });

  matrix('sockets are put into rooms and taken out, and broadcasts follow', fixture, async (bench) => {
    const { sockets, room, here } = await crowd(bench, 3);
    const [a, b, c] = sockets;
    const other = unique('other');
    const logs = sockets.map((s) => record(s, 'in', 'out', 'fence'));
    await call(a, 'sockets-join', { ...here, except: [b.id] }, [other, room]);
    await call(a, 'broadcast', { ...ALL, to: [other] }, 'in');
    await call(a, 'sockets-leave', { ...ALL, to: [other], except: [c.id] }, other);
    await call(a, 'broadcast', { ...ALL, to: [other] }, 'out');
    await call(a, 'broadcast', here, 'fence');
    for (const log of logs) await log.until((items) => items.some(([name]) => name === 'fence'), 'the fence');
    assert.deepEqual(logs.map((log) => log.items.map(([name]) => name)), [['in', 'fence'], ['fence'], ['in', 'out', 'fence']]);
    assert.deepEqual(await call(c, 'rooms'), [[other, room].sort(), true]);
    assert.deepEqual(await call(a, 'rooms'), [[room], true]);
  });

  matrix('sockets are disconnected, with their connection or without', fixture, async (bench) => {
    const { sockets, here } = await crowd(bench, 3);
    const [a, b, c] = sockets;
    const second = bench.also(c, '/custom');
    await eventually(() => second.connected, 'the second namespace');
    const ids = [b.id, c.id];
    const ends = [disconnection(b), disconnection(c)];
    assert.deepEqual(await call(a, 'disconnect-sockets', { ...here, except: [a.id] }, false), []);
    for (const end of ends) assert.equal((await end)[0], 'io server disconnect');
    for (const id of ids) assert.equal(await reasonOf(a, id), 'server namespace disconnect');
    assert.deepEqual(await call(second, 'id'), [second.id]); // its connection is still there
    const gone = [disconnection(a), disconnection(second)];
    assert.deepEqual(await call(second, 'disconnect-sockets', { ...ALL, to: [second.id] }, true), []);
    await gone[1];
    assert.deepEqual(await call(a, 'disconnect-sockets', { to: [a.id] }, true), []);
    await gone[0];
  });

  matrix('listeners for outgoing events hear of broadcasts', fixture, async (bench) => {
    const { sockets, here } = await crowd(bench, 2);
    const [a, b] = sockets;
    const [one, two] = [unique('one'), unique('two')];
    const came = [next(b, one), next(b, two)];
    await call(a, 'broadcast', here, one, { n: 1 });
    await call(a, 'broadcast', { to: here.to }, two);
    await Promise.all(came);
    const out = async (s) => (await call(s, 'any-log'))[1].filter((name) => name === one || name === two);
    assert.deepEqual(await out(b), [one, two]);
    assert.deepEqual(await out(a), [one]);
  });
});
