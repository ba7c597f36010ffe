// Ends of connections: the reasons on both sides, and reconnecting.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import {
  Bench, Fixture, SETTINGS, call, connected, disconnection, eventually, matrix, next, reasonOf, record, settled,
  suite, transportOf, unique, upTo, within,
} from './harness/index.mjs';
import { PollingSession, RawWebSocket, proxy, request } from './harness/raw.mjs';

/** Destroys the connections of a client that is idle; a polling one has a GET waiting then. */
async function cutOff(via, socket, forGood) {
  if (transportOf(socket) === 'polling') {
    await eventually(() => socket.io.engine.transport.writable && via.waiting() === 1, 'a waiting GET');
  }
  via.cut(forGood);
}

// If the agent keeps connections alive, the client's XMLHttpRequest never ends when such a connection is reset.
const RESETTABLE = SETTINGS.filter((s) => s.name !== 'kept-alive polling');
const only = RESETTABLE.map((s) => s.name);

suite('disconnect', (fixture) => {
  const observe = (t) => new Bench(t, fixture, SETTINGS[1]).connect();

  matrix('client.disconnect()', fixture, async (bench, t) => {
    const observer = await observe(t);
    for (const settle of [true, false]) {
      const socket = await (settle ? bench.settle() : bench.connect());
      const { id } = socket;
      const gone = disconnection(socket);
      socket.disconnect();
      assert.equal((await gone)[0], 'io client disconnect');
      assert.equal(await reasonOf(observer, id), 'client namespace disconnect');
    }
  });

  matrix('client.disconnect() of one namespace of two', fixture, async (bench, t) => {
    const observer = await observe(t);
    const root = await bench.connect();
    const custom = await connected(bench.also(root, '/custom'));
    const { id } = custom;
    custom.disconnect();
    assert.equal(await reasonOf(observer, id), 'client namespace disconnect');
    assert.deepEqual(await call(root, 'message-with-ack', 'on'), ['on']);
    assert.deepEqual(await call(root, 'reason', root.id), [null]);
  });

  matrix('what was emitted before disconnect() is handled', fixture, async (bench, t) => {
    const observer = await observe(t);
    const event = unique('last-words');
    const log = record(observer, event);
    const socket = await bench.settle();
    for (const i of upTo(100)) socket.emit('broadcast', {}, event, i);
    socket.disconnect();
    await log.count(100);
    assert.deepEqual(log.items.map(([, i]) => i), upTo(100));
  });

  matrix('socket.io.engine.close()', fixture, async (bench, t) => {
    const observer = await observe(t);
    const socket = await bench.settle();
    const custom = await connected(bench.also(socket, '/custom'));
    const ids = [socket.id, custom.id];
    const gone = disconnection(socket);
    socket.io.engine.close();
    assert.equal((await gone)[0], 'forced close');
    for (const id of ids) assert.equal(await reasonOf(observer, id), 'transport close');
  });

  matrix('a destroyed TCP connection', fixture, async (bench, t) => {
    const observer = await observe(t);
    const via = await proxy(fixture);
    const socket = await bench.settle({ url: via.url });
    const { id } = socket;
    const gone = disconnection(socket);
    // Closed for good: the client must not be able to send that it leaves.
    await cutOff(via, socket, true);
    const [reason] = await gone;
    assert.ok(['transport close', 'transport error'].includes(reason), reason);
    // The reference treats the loss of a waiting GET as an error.
    const expected = bench.setting.ends === 'polling' ? 'transport error' : 'transport close';
    assert.equal(await reasonOf(observer, id), expected);
  }, { only });

  matrix('the server disconnects the socket', fixture, async (bench, t) => {
    const observer = await observe(t);
    const socket = await bench.settle();
    const other = await connected(bench.also(socket, '/custom'));
    const { id } = other;
    const log = record(other, 'message-back');
    const gone = disconnection(other);
    other.emit('message', 'before');
    other.emit('disconnect-me', false);
    assert.equal((await gone)[0], 'io server disconnect');
    assert.deepEqual(log.items, [['message-back', 'before']]);
    assert.equal(await reasonOf(observer, id), 'server namespace disconnect');
    assert.deepEqual(await call(socket, 'message-with-ack', 'the connection stays'), ['the connection stays']);
    other.connect();
    await connected(other);
    assert.notEqual(other.id, id);
    assert.deepEqual(await call(other, 'message-with-ack', 'again'), ['again']);
  });

  matrix('the server disconnects the whole connection', fixture, async (bench, t) => {
    const observer = await observe(t);
    const socket = await bench.settle();
    const other = await connected(bench.also(socket, '/custom'));
    const ids = [socket.id, other.id];
    const log = record(socket, 'message-back');
    const gone = [disconnection(socket), disconnection(other), next(socket.io, 'close')];
    for (const i of upTo(50)) socket.emit('message', i);
    socket.emit('disconnect-me', true);
    const [[first], [second]] = await Promise.all(gone);
    assert.deepEqual([first, second], ['io server disconnect', 'io server disconnect']);
    assert.deepEqual(log.items.map(([, i]) => i), upTo(50));
    for (const id of ids) assert.equal(await reasonOf(observer, id), 'server namespace disconnect');
  });

  matrix('a reconnect by hand after the server disconnected', fixture, async (bench) => {
    const socket = await bench.connect();
    const { id } = socket;
    for (const close of [false, true]) {
      const gone = disconnection(socket);
      const closed = close ? next(socket.io, 'close') : null;
      socket.emit('disconnect-me', close);
      await gone;
      await closed;
      socket.connect();
      await connected(socket);
      assert.notEqual(socket.id, id);
      assert.deepEqual(await call(socket, 'message-with-ack', close), [close]);
    }
  });

  matrix('disconnecting before the connection is there', fixture, async (bench, t) => {
    const observer = await observe(t);
    for (let i = 0; i < 5; i++) {
      const socket = bench.dial({ profile: 'fast' });
      socket.emit('message', 'never');
      if (i % 2) await next(socket.io, 'open');
      socket.disconnect();
    }
    assert.deepEqual(await call(observer, 'message-with-ack', 'on'), ['on']);
  });

  matrix('reconnection after the connection was lost, with what was emitted meanwhile', fixture, async (bench, t) => {
    const via = await proxy(fixture);
    const socket = await bench.settle({
      url: via.url, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50,
    });
    const log = record(socket, 'message-back');
    for (const round of upTo(3)) {
      const { id } = socket;
      const back = next(socket, 'connect');
      const gone = disconnection(socket);
      await cutOff(via, socket);
      await gone;
      socket.emit('message', round);
      await back;
      assert.notEqual(socket.id, id);
      await log.count(round + 1);
      await settled(socket, bench.setting);
    }
    assert.deepEqual(log.items.map(([, i]) => i), upTo(3));
    assert.deepEqual(await call(socket, 'rooms'), [[], true]);
  }, { only });

  test('reconnection after the server was killed and started again', async (t) => {
    const other = new Fixture();
    await other.start();
    t.after(() => other.stop());
    const sockets = await Promise.all(RESETTABLE.map((setting) => new Bench(t, other, setting).connect({
      reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100,
    })));
    const ids = sockets.map((s) => s.id);
    const gone = sockets.map(disconnection);
    await other.kill();
    await Promise.all(gone);
    const back = sockets.map((s) => next(s, 'connect'));
    await other.start();
    await Promise.all(back);
    for (const [i, s] of sockets.entries()) {
      assert.notEqual(s.id, ids[i]);
      assert.deepEqual(await call(s, 'message-with-ack', i), [i]);
    }
    sockets.forEach((s) => {
      s.io.reconnection(false);
      s.disconnect();
    });
  });

  test('a server that shuts down tells its clients', async (t) => {
    const other = new Fixture();
    await other.start();
    const sockets = await Promise.all(RESETTABLE.map((setting) => new Bench(t, other, setting).settle()));
    const gone = sockets.map(disconnection);
    await other.stop();
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'transport close');
  });

  test('a kept-alive connection cut between two requests loses nothing', async (t) => {
    const agent = new http.Agent({ keepAlive: true });
    t.after(() => agent.destroy());
    const bench = new Bench(t, fixture, { ...SETTINGS[0], options: () => ({ transports: ['polling'], agent }) });
    const socket = await bench.connect();
    for (const i of upTo(5)) {
      assert.deepEqual(await call(socket, 'message-with-ack', i), [i]);
      // Only idle connections: the one with the waiting GET stays.
      Object.values(agent.freeSockets).flat().forEach((s) => s.destroy());
    }
    assert.equal(transportOf(socket), 'polling');
  });

  test('the reasons of what a client does wrong', async (t) => {
    const observer = await observe(t);
    for (const [bad, reason] of [
      ['x', 'parse error'], // no Engine.IO packet
      ['9', 'parse error'],
      ['4', 'forced close'], // no Socket.IO packet
      ['4nonsense', 'forced close'],
      ['42["open', 'forced close'],
      ['1', 'transport close'], // Engine.IO's close packet
      ['41', 'client namespace disconnect'],
    ]) {
      const socket = await RawWebSocket.open(fixture);
      const id = await socket.connect();
      socket.send(bad);
      assert.equal(await reasonOf(observer, id), reason, bad);
      socket.terminate();
    }
  });

  test('a GET that its client gives up ends the session', async (t) => {
    const observer = await observe(t);
    const session = await PollingSession.start(fixture);
    const id = await session.connect();
    await session.post('420["message-with-ack",1]');
    await session.until((p) => p === '430[1]');
    const abort = new AbortController();
    const given = session.get({ signal: abort.signal });
    // When a later request is answered, the GET has been sent.
    const lost = assert.rejects(given, /abort/i);
    await session.post('42["no-such-event"]');
    abort.abort();
    await lost;
    assert.equal(await reasonOf(observer, id), 'transport error');
    assert.equal((await session.get()).status, 400);
  });

  test('disconnect reasons of clients that end all at once', async (t) => {
    const observer = await observe(t);
    const sockets = await Promise.all(upTo(50).map((i) => new Bench(t, fixture, SETTINGS[i % SETTINGS.length]).connect()));
    const ids = sockets.map((s) => s.id);
    sockets.forEach((s) => s.disconnect());
    for (const id of ids) assert.equal(await reasonOf(observer, id), 'client namespace disconnect');
  });

  test('a refused request of a session that ended', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    assert.equal((await session.post('1')).text, 'ok');
    for (const answer of [await session.get(), await session.post('40')]) {
      assert.equal(answer.status, 400);
      assert.deepEqual(answer.json(), { code: 1, message: 'Session ID unknown' });
    }
    const fresh = await request(`${fixture.url()}/socket.io/?EIO=4&transport=polling`);
    assert.equal(fresh.status, 200);
    const { sid } = JSON.parse(fresh.text.slice(1));
    await within(request(`${fixture.url()}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body: '1' }), 'close');
  });
});
