// Many messages, many clients.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, SETTINGS, call, matrix, record, shape, suite, unique, upTo } from './harness/index.mjs';
import { PollingSession, RawWebSocket } from './harness/raw.mjs';

const ALL = { from: 'nsp' };

suite('fan-out', (fixture) => {
  for (const profile of ['main', 'opts']) {
    matrix(`a burst of 2,000 events reaches its client [${profile}]`, fixture, async (bench) => {
      const socket = await bench.connect({ profile });
      const log = record(socket, 'burst', 'burst-end');
      socket.emit('burst', 2000, 100);
      await log.count(2001);
      const text = 'x'.repeat(100);
      log.items.slice(0, 2000).forEach((item, i) => assert.deepEqual(item, ['burst', i, text]));
      assert.deepEqual(log.items[2000], ['burst-end', 2000]);
    });
  }

  test('no polling response of a burst is over maxPayload, and each is filled', async () => {
    const session = await PollingSession.start(fixture, 'opts');
    await session.connect();
    await session.post('42["burst",2000,100]');
    const packets = [];
    const sizes = [];
    while (!packets.includes('42["burst-end",2000]')) {
      const answer = await session.get();
      assert.equal(answer.status, 200);
      sizes.push(Buffer.byteLength(answer.text));
      packets.push(...answer.text.split('\x1e'));
    }
    assert.ok(Math.max(...sizes) <= 10_000, `a response of ${Math.max(...sizes)} bytes`);
    const bursts = packets.filter((p) => p.startsWith('42["burst",'));
    assert.deepEqual(bursts, upTo(2000).map((i) => `42["burst",${i},"${'x'.repeat(100)}"]`));
    // The first response may be early and small; the last has the rest.
    assert.ok(sizes.length <= 40, `${sizes.length} responses`);
  });

  test('binary attachments in polling responses near maxPayload', async () => {
    const session = await PollingSession.start(fixture, 'opts');
    await session.connect();
    await session.post(...upTo(9).map(() => '42["emit-binary",3,1000]'), '420["message-with-ack",1]');
    const packets = [];
    while (!packets.includes('430[1]')) {
      const answer = await session.get();
      assert.equal(answer.status, 200);
      assert.ok(Buffer.byteLength(answer.text) <= 10_000);
      packets.push(...answer.text.split('\x1e'));
    }
    const events = packets.filter((p) => p !== '430[1]' && !p.startsWith('42["auth"'));
    assert.equal(events.length, 9 * 4);
    events.forEach((p, i) => {
      assert.equal(p.startsWith('453-["binary"'), i % 4 === 0, `packet ${i}`);
      if (i % 4) assert.equal(p, `b${Buffer.alloc(1000, (i % 4) - 1).toString('base64')}`);
    });
  });

  test('one broadcast reaches 200 clients of all settings exactly once', async (t) => {
    const n = 200;
    const sockets = await Promise.all(
      upTo(n).map((i) => new Bench(t, fixture, SETTINGS[i % SETTINGS.length]).connect()),
    );
    const [room, event, fence] = [unique('room'), unique('event'), unique('fence')];
    await Promise.all(sockets.map((s) => call(s, 'join', room)));
    const logs = sockets.map((s) => record(s, event, fence));
    await call(sockets[0], 'broadcast', { ...ALL, to: [room] }, event, { text: 'ü', bin: Buffer.from([1, 2]) });
    await call(sockets[1], 'broadcast', { to: [room] }, event, 'all but one');
    await call(sockets[2], 'broadcast', ALL, fence);
    await Promise.all(logs.map((log) => log.until((items) => items.some(([name]) => name === fence), 'the fence')));
    logs.forEach((log, i) => {
      const expected = [[event, { text: 'ü', bin: { $bin: '0102' } }], [event, 'all but one'], [fence]];
      if (i === 1) expected.splice(1, 1);
      assert.deepEqual(shape(log.items), expected, `client ${i}`);
    });
  });

  test('200 clients get a stream of broadcasts in order, while some leave', async (t) => {
    const sockets = await Promise.all(
      upTo(200).map((i) => new Bench(t, fixture, SETTINGS[i % 3]).connect()),
    );
    const source = await new Bench(t, fixture, SETTINGS[1]).connect();
    const [room, tick] = [unique('room'), unique('tick')];
    await Promise.all(sockets.map((s) => call(s, 'join', room)));
    const logs = sockets.map((s) => record(s, tick));
    const rounds = 50;
    for (const i of upTo(rounds)) {
      source.emit('broadcast', { to: [room] }, tick, i);
      if (i % 5 === 0) sockets[199 - i].disconnect();
    }
    const left = (k) => k > 199 - rounds && (199 - k) % 5 === 0;
    await Promise.all(logs.map((log, k) => !left(k) && log.count(rounds)));
    logs.forEach((log, k) => {
      const numbers = log.items.map(([, i]) => i);
      if (left(k)) assert.deepEqual(numbers, upTo(numbers.length));
      else assert.deepEqual(numbers, upTo(rounds));
    });
  });

  test('the frame of a broadcast is the same text for all', async () => {
    const raw = await Promise.all(upTo(3).map(() => RawWebSocket.open(fixture)));
    const room = unique('room');
    await Promise.all(raw.map((s) => s.connect()));
    for (const s of raw) {
      s.send(`420["join","${room}"]`);
      await s.find(`430[["${room}"]]`);
    }
    raw[0].send(`42["broadcast",{"from":"nsp","to":["${room}"]},"tick",{"a":[1,"ü"]}]`);
    await Promise.all(raw.map((s) => s.find('42["tick",{"a":[1,"ü"]}]')));
    raw.forEach((s) => s.terminate());
  });
});
