// Rooms and broadcasts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  call, connected, eventually, matrix, reasonOf, record, settled, shape, suite, unique, upTo,
} from './harness/index.mjs';
import { PollingSession, RawWebSocket } from './harness/raw.mjs';

const ALL = { from: 'nsp' };

/**
 * Broadcasts an event, then a fence to the whole namespace, and returns which of the sockets got the event, and how
 * often. The fence comes after the event at every socket, so that what is not there then never comes.
 */
async function reached(sockets, sender, operator, ...args) {
  const [event, fence] = [unique('event'), unique('fence')];
  const logs = sockets.map((s) => record(s, event, fence));
  await call(sender, 'broadcast', operator, event, ...args);
  await call(sender, 'broadcast', ALL, fence);
  await Promise.all(logs.map((log) => log.until((items) => items.some(([name]) => name === fence), 'the fence')));
  sockets.forEach((s) => s.off(event).off(fence));
  return logs.map((log) => {
    const got = log.items.filter(([name]) => name === event);
    got.forEach(([, ...values]) => assert.deepEqual(shape(values), shape(args)));
    return got.length;
  });
}

suite('rooms', (fixture) => {
  matrix('join and leave, with repeats', fixture, async (bench) => {
    const socket = await bench.connect();
    const [a, b, c] = ['a', 'b', 'c'].map(unique);
    assert.deepEqual(await call(socket, 'rooms'), [[], true]);
    assert.deepEqual(await call(socket, 'join', a), [[a]]);
    assert.deepEqual(await call(socket, 'join', a), [[a]]);
    assert.deepEqual(await call(socket, 'join', [c, b, a]), [[a, b, c]]);
    assert.deepEqual(await call(socket, 'leave', b), [[a, c]]);
    assert.deepEqual(await call(socket, 'leave', b), [[a, c]]);
    assert.deepEqual(await call(socket, 'leave', 'never joined'), [[a, c]]);
    assert.deepEqual(await call(socket, 'rooms'), [[a, c], true]);
    assert.deepEqual(await call(socket, 'leave', a), [[c]]);
    assert.deepEqual(await call(socket, 'join', a), [[a, c]]);
  });

  matrix('room names of any kind', fixture, async (bench) => {
    const socket = await bench.connect();
    const suffix = unique('');
    for (const name of ['ünïcode 🏠', 'a/b,c"d', ' ', 'x'.repeat(3000), '0', '__proto__', '/custom', 'all'].map((n) => n + suffix)) {
      await call(socket, 'join', name);
      assert.deepEqual(await reached([socket], socket, { ...ALL, to: [name] }, 1), [1], name);
      await call(socket, 'leave', name);
      assert.deepEqual(await reached([socket], socket, { ...ALL, to: [name] }, 1), [0], name);
    }
  });

  matrix('a broadcast to a room, the sender in or out', fixture, async (bench) => {
    const [a, b, c] = await Promise.all([bench.connect(), bench.connect(), bench.connect()]);
    const all = [a, b, c];
    const room = unique('room');
    await Promise.all([a, b].map((s) => call(s, 'join', room)));
    assert.deepEqual(await reached(all, a, { ...ALL, to: [room] }, 'to the room', 1), [1, 1, 0]);
    assert.deepEqual(await reached(all, a, { to: [room] }, 'without me'), [0, 1, 0]);
    assert.deepEqual(await reached(all, c, { to: [room] }, 'from outside'), [1, 1, 0]);
    assert.deepEqual(await reached(all, c, { ...ALL, to: [room] }, 'from outside'), [1, 1, 0]);
    assert.deepEqual(await reached(all, a, { ...ALL, to: [unique('empty')] }, 'nobody'), [0, 0, 0]);
    await call(b, 'leave', room);
    assert.deepEqual(await reached(all, a, { ...ALL, to: [room] }, 'after leave'), [1, 0, 0]);
  });

  matrix('a broadcast without a room reaches the namespace', fixture, async (bench) => {
    const [a, b, c] = await Promise.all([bench.connect(), bench.connect(), bench.connect()]);
    assert.deepEqual(await reached([a, b, c], a, ALL, 'everybody'), [1, 1, 1]);
    assert.deepEqual(await reached([a, b, c], a, {}, 'everybody else'), [0, 1, 1]);
  });

  matrix('several rooms reach each socket once, except leaves out', fixture, async (bench) => {
    const sockets = await Promise.all(upTo(5).map(() => bench.connect()));
    const [r1, r2, r3] = ['r1', 'r2', 'r3'].map(unique);
    // 0: r1 r2 r3, 1: r1 r2, 2: r2, 3: r3, 4: none
    await Promise.all(
      [[r1, r2, r3], [r1, r2], [r2], [r3], []].map((rooms, i) => call(sockets[i], 'join', rooms)),
    );
    const from = sockets[4];
    assert.deepEqual(await reached(sockets, from, { ...ALL, to: [r1, r2, r3] }), [1, 1, 1, 1, 0]);
    assert.deepEqual(await reached(sockets, from, { ...ALL, to: [r1, r1, r2] }), [1, 1, 1, 0, 0]);
    assert.deepEqual(await reached(sockets, from, { ...ALL, to: [r2], except: [r1] }), [0, 0, 1, 0, 0]);
    assert.deepEqual(await reached(sockets, from, { ...ALL, except: [r1, r3] }), [0, 0, 1, 0, 1]);
    assert.deepEqual(await reached(sockets, from, { ...ALL, to: [r1, r2], except: [r3] }), [0, 1, 1, 0, 0]);
    assert.deepEqual(await reached(sockets, from, { ...ALL, to: [r2], except: [unique('empty')] }), [1, 1, 1, 0, 0]);
    assert.deepEqual(await reached(sockets, sockets[0], { to: [r1, r2, r3] }), [0, 1, 1, 1, 0]);
    assert.deepEqual(await reached(sockets, sockets[0], { except: [r2] }), [0, 0, 0, 1, 1]);
  });

  matrix("a socket's id is a room of its own", fixture, async (bench) => {
    const [a, b, c] = await Promise.all([bench.connect(), bench.connect(), bench.connect()]);
    assert.deepEqual(await reached([a, b, c], a, { to: [b.id] }, 'private'), [0, 1, 0]);
    assert.deepEqual(await reached([a, b, c], a, { ...ALL, to: [a.id, c.id] }), [1, 0, 1]);
    assert.deepEqual(await reached([a, b, c], a, { ...ALL, except: [b.id] }), [1, 0, 1]);
    assert.deepEqual(await reached([a, b, c], a, { to: [a.id] }), [0, 0, 0]);
  });

  matrix('the same room name in two namespaces', fixture, async (bench) => {
    const room = unique('shared');
    const a = await bench.connect();
    const b = await connected(bench.also(a, '/custom'));
    const c = await bench.connect({ ns: '/custom' });
    await Promise.all([a, b, c].map((s) => call(s, 'join', room)));
    const event = unique('event');
    const logs = [a, b, c].map((s) => record(s, event));
    await call(a, 'broadcast', { ...ALL, to: [room] }, event, 'root');
    await call(b, 'broadcast', { ...ALL, to: [room] }, event, 'custom');
    await call(b, 'broadcast', { to: [room] }, event, 'custom again');
    await call(c, 'broadcast', ALL, event, 'all of custom');
    await Promise.all([logs[0].count(1), logs[1].count(2), logs[2].count(3)]);
    await Promise.all([a, b, c].map((s) => call(s, 'message-with-ack', 'fence')));
    assert.deepEqual(logs.map((log) => log.items.map(([, v]) => v)), [
      ['root'],
      ['custom', 'all of custom'],
      ['custom', 'custom again', 'all of custom'],
    ]);
  });

  matrix('a broadcast with binary', fixture, async (bench) => {
    const [a, b] = await Promise.all([bench.connect(), bench.connect()]);
    const room = unique('room');
    await Promise.all([a, b].map((s) => call(s, 'join', room)));
    const payload = { deep: [Buffer.from(upTo(256)), 'text', Buffer.alloc(0)], big: Buffer.alloc(100_000, 7) };
    assert.deepEqual(await reached([a, b], a, { ...ALL, to: [room] }, payload, Buffer.from('x')), [1, 1]);
  });

  matrix('a socket that is gone is in no room', fixture, async (bench) => {
    const [a, b] = await Promise.all([bench.connect(), bench.connect()]);
    const room = unique('room');
    await Promise.all([a, b].map((s) => call(s, 'join', room)));
    const { id } = b;
    b.disconnect();
    await reasonOf(a, id);
    assert.deepEqual(await reached([a], a, { ...ALL, to: [room, id] }), [1]);
    b.connect();
    await connected(b);
    assert.deepEqual(await call(b, 'rooms'), [[], true]);
    assert.deepEqual(await reached([a, b], a, { ...ALL, to: [room] }), [1, 0]);
  });

  matrix('a namespace left and joined again begins without rooms', fixture, async (bench) => {
    const root = await bench.connect();
    const custom = await connected(bench.also(root, '/custom'));
    const room = unique('room');
    await call(custom, 'join', room);
    custom.disconnect();
    custom.connect();
    await connected(custom);
    assert.deepEqual(await call(custom, 'rooms'), [[], true]);
    assert.deepEqual(await reached([custom], custom, { ...ALL, to: [room] }), [0]);
  });

  matrix('rooms joined before the upgrade hold after it', fixture, async (bench) => {
    const sender = await bench.settle();
    const room = unique('room');
    // Joined by the first packets on the connection.
    const early = upTo(10).map(() => {
      const socket = bench.dial();
      socket.emit('join', room);
      return socket;
    });
    await Promise.all(early.map(connected));
    await Promise.all(early.map((s) => settled(s, bench.setting)));
    for (const s of early) assert.deepEqual(await call(s, 'rooms'), [[room], true]);
    assert.deepEqual(await reached(early, sender, { to: [room] }, 'after'), early.map(() => 1));
  });

  test('a room joined over polling for certain, then the upgrade', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    const room = unique('room');
    await session.post(`420["join","${room}"]`);
    await session.until((p) => p === `430[["${room}"]]`);
    const socket = await session.websocket();
    socket.send('2probe');
    await socket.find('3probe');
    socket.send('5');
    const sender = await RawWebSocket.open(fixture);
    await sender.connect();
    socket.send('421["rooms"]');
    await socket.find(`431[["${room}"],true]`);
    sender.send(`42["broadcast",{"to":["${room}"]},"hello",1]`);
    await socket.find('42["hello",1]');
    sender.terminate();
    socket.terminate();
  });

  matrix('volatile broadcasts come in order or not at all', fixture, async (bench) => {
    const [a, b] = await Promise.all([bench.settle(), bench.settle()]);
    const [event, end] = [unique('vol'), unique('end')];
    const log = record(b, event, end);
    for (const i of upTo(200)) a.emit('broadcast', { volatile: true }, event, i);
    a.emit('broadcast', {}, end);
    await log.until((items) => items.some(([name]) => name === end), 'the end');
    const numbers = log.items.filter(([name]) => name === event).map(([, i]) => i);
    numbers.forEach((v, i) => assert.ok(i === 0 || v > numbers[i - 1], `${v} at ${i}`));
    assert.equal(log.items.at(-1)[0], end);
  });

  matrix('data of a socket is its own', fixture, async (bench) => {
    const [a, b] = await Promise.all([bench.connect(), bench.connect()]);
    assert.deepEqual(await call(a, 'get-data'), [null]);
    await call(a, 'set-data', { who: 'a', list: [1, 'ü'] });
    await call(b, 'set-data', 'b');
    await settled(a, bench.setting);
    assert.deepEqual(await call(a, 'get-data'), [{ who: 'a', list: [1, 'ü'] }]);
    assert.deepEqual(await call(b, 'get-data'), ['b']);
  });

  matrix('many rooms at once', fixture, async (bench) => {
    const socket = await bench.connect();
    const rooms = upTo(1000).map((i) => unique(`many-${i}`)).sort();
    assert.deepEqual(await call(socket, 'join', rooms), [rooms]);
    assert.deepEqual(await reached([socket], socket, { ...ALL, to: rooms }), [1]);
    assert.deepEqual(await call(socket, 'leave', rooms), [[]]);
    assert.deepEqual(await reached([socket], socket, { ...ALL, to: rooms }), [0]);
  });

  matrix('joining while leaving the connection does no harm', fixture, async (bench) => {
    const [observer, ...others] = await Promise.all(upTo(6).map(() => bench.connect()));
    const room = unique('room');
    const ids = others.map((s) => s.id);
    others.forEach((s) => {
      for (const i of upTo(20)) s.emit(i % 2 ? 'leave' : 'join', room);
      s.disconnect();
    });
    for (const id of ids) await reasonOf(observer, id);
    await call(observer, 'join', room);
    assert.deepEqual(await reached([observer], observer, { ...ALL, to: [room] }), [1]);
    await eventually(() => others.every((s) => !s.connected), 'the end of all');
  });
});
