// Order: whatever is mixed, nothing is lost, duplicated or overtaken.

import assert from 'node:assert/strict';
import { Log, call, matrix, record, suite, unique, upTo } from './harness/index.mjs';

const ALL = { from: 'nsp' };

suite('order', (fixture) => {
  matrix('thousands of events come back in order', fixture, async (bench) => {
    const socket = await bench.connect();
    const log = record(socket, 'message-back');
    const n = 3000;
    for (const i of upTo(n)) socket.emit('message', i);
    await log.count(n);
    assert.deepEqual(log.items.map(([, i]) => i), upTo(n));
  });

  matrix('events, acknowledgements and broadcasts keep the order of one sender', fixture, async (bench) => {
    const sender = await bench.connect();
    const member = await bench.connect();
    const room = unique('room');
    await Promise.all([sender, member].map((s) => call(s, 'join', room)));
    const tick = unique('tick');
    const log = record(sender, 'message-back', tick);
    const ticks = record(member, tick);
    const rounds = 800;
    const expected = [];
    for (const i of upTo(rounds)) {
      sender.emit('message', i);
      sender.emit('message-with-ack', i, (v) => log.push(['ack', v]));
      sender.emit('broadcast', { ...ALL, to: [room] }, tick, i);
      expected.push(['message-back', i], ['ack', i], [tick, i]);
    }
    await log.count(expected.length);
    assert.deepEqual(log.items, expected);
    await ticks.count(rounds);
    assert.deepEqual(ticks.items, upTo(rounds).map((i) => [tick, i]));
  });

  matrix('binary and text, small and big, keep their order', fixture, async (bench) => {
    const socket = await bench.connect();
    const log = new Log();
    socket.on('message-back', (i, body) => log.push([i, body.length]));
    const sizes = [1, 10, 130, 1000, 70_000, 3, 20_000, 125, 126, 65_535, 65_536];
    const n = 220;
    for (const i of upTo(n)) {
      const size = i < 2 * sizes.length ? sizes[i % sizes.length] : sizes[i % 4];
      socket.emit('message', i, i % 2 ? Buffer.alloc(size, i) : 'x'.repeat(size));
      if (i === 2 * sizes.length) await log.count(i);
    }
    await log.count(n);
    log.items.forEach(([i, length], k) => {
      assert.equal(i, k);
      assert.equal(length, k < 2 * sizes.length ? sizes[k % sizes.length] : sizes[k % 4]);
    });
  });

  matrix('each namespace of a connection keeps its order', fixture, async (bench) => {
    const root = await bench.connect();
    const custom = bench.also(root, '/custom');
    const sockets = [root, custom];
    const logs = sockets.map((s) => record(s, 'message-back'));
    for (const i of upTo(1000)) sockets.forEach((s) => s.emit('message', i));
    await Promise.all(logs.map((log) => log.count(1000)));
    for (const log of logs) assert.deepEqual(log.items.map(([, i]) => i), upTo(1000));
  });

  matrix('several senders into one room, each in its order at each receiver', fixture, async (bench) => {
    const senders = await Promise.all(upTo(3).map(() => bench.connect()));
    const receivers = await Promise.all(upTo(4).map(() => bench.connect()));
    const room = unique('room');
    const everyone = [...senders, ...receivers];
    await Promise.all(everyone.map((s) => call(s, 'join', room)));
    const tick = unique('tick');
    const logs = everyone.map((s) => record(s, tick));
    const n = 300;
    for (const i of upTo(n)) {
      senders.forEach((s, k) => s.emit('broadcast', { ...ALL, to: [room] }, tick, k, i));
    }
    await Promise.all(logs.map((log) => log.count(senders.length * n)));
    for (const log of logs) {
      senders.forEach((_, k) => {
        assert.deepEqual(log.items.filter(([, from]) => from === k).map(([, , i]) => i), upTo(n));
      });
    }
  });

  matrix('what the server sends of its own accord, against the traffic of the client', fixture, async (bench) => {
    const socket = await bench.connect();
    const log = record(socket, 'burst', 'burst-end', 'message-back');
    const expected = [];
    for (const round of upTo(6)) {
      for (const i of upTo(100)) {
        socket.emit('message', round, i);
        expected.push(['message-back', round, i]);
      }
      socket.emit('burst', 150, 40);
      for (const i of upTo(150)) expected.push(['burst', i, 'x'.repeat(40)]);
      expected.push(['burst-end', 150]);
    }
    await log.count(expected.length);
    assert.deepEqual(log.items, expected);
  });

  matrix('leave ends a room for what is sent later, join begins it', fixture, async (bench) => {
    const socket = await bench.connect();
    const room = unique('room');
    const tick = unique('tick');
    const log = record(socket, tick);
    const expected = [];
    for (const i of upTo(200)) {
      const inside = i % 3 !== 0;
      socket.emit(inside ? 'join' : 'leave', room);
      socket.emit('broadcast', { ...ALL, to: [room] }, tick, i);
      if (inside) expected.push([tick, i]);
    }
    await call(socket, 'message-with-ack', 'fence');
    assert.deepEqual(log.items, expected);
  });
});
