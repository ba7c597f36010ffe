// The heartbeat, on the profile that pings every 300 ms and waits 200 ms.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, Log, SETTINGS, call, eventually, matrix, pause, reasonOf, suite, upTo } from './harness/index.mjs';
import { PollingSession, RawWebSocket } from './harness/raw.mjs';

const INTERVAL = 300;
const TIMEOUT = 200;
/** How much early a timer may look from here. */
const EARLY = 30;

/**
 * Runs an attempt to live through pings. A machine that stalls both sides longer than a pong may take ends any
 * connection, so that a round trip on the slow profile of the same server is timed all along: an attempt that fails
 * while it was slow too says nothing about the server, and is made again. The attempt gets a function that fails when
 * any of the sockets is disconnected.
 */
async function survive(t, fixture, attempt) {
  const canary = await new Bench(t, fixture, SETTINGS[1]).connect();
  for (let left = 12; ; left--) {
    let [slowest, running] = [0, true];
    const watch = (async () => {
      while (running) {
        // Include the pause: this process may stall too, at any moment.
        const begun = performance.now();
        await call(canary, 'message-with-ack');
        await pause(5);
        slowest = Math.max(slowest, performance.now() - begun);
      }
    })();
    try {
      return await attempt();
    } catch (err) {
      // A stall in progress shows when the round trip ends.
      running = false;
      await watch;
      if (slowest < TIMEOUT / 4) throw err;
      t.diagnostic(`made again, the machine stalled for ${Math.round(slowest)} ms: ${err.message}`);
      if (left === 0) {
        t.skip('the machine is too busy for a heartbeat of this pace');
        return undefined;
      }
    } finally {
      running = false;
      await watch;
    }
  }
}

/** The result of `promise`, or an error as soon as one of the sockets is disconnected. */
function alive(sockets, promise) {
  const ends = sockets.map((socket) => new Promise((_, reject) => {
    const fail = () => reject(new Error('disconnected'));
    if (!socket.connected) fail();
    socket.once('disconnect', fail);
    promise.then(() => socket.off('disconnect', fail), () => {});
  }));
  return Promise.race([promise, ...ends]);
}

/** Resolves after n pings. */
function pings(socket, n) {
  const log = new Log();
  socket.io.on('ping', () => log.push(0));
  return log.count(n, `${n} pings`);
}

suite('heartbeat', (fixture) => {
  const observe = (t) => new Bench(t, fixture, SETTINGS[1]).connect();

  matrix('a client stays connected over many pings', fixture, (bench, t) => survive(t, fixture, async () => {
    const socket = await bench.connect({ profile: 'fast' });
    const { id } = socket;
    const started = performance.now();
    await alive([socket], pings(socket, 10));
    assert.ok(performance.now() - started >= 9 * (INTERVAL - EARLY), 'the pings came too early');
    assert.deepEqual(await alive([socket], call(socket, 'transport')), [bench.setting.ends]);
    assert.equal(socket.id, id);
  }));

  matrix('traffic does not disturb the heartbeat', fixture, (bench, t) => survive(t, fixture, async () => {
    const socket = await bench.connect({ profile: 'fast' });
    let count = 0;
    socket.io.on('ping', () => count++);
    for (let sent = 0; count < 4; sent++) {
      assert.deepEqual(await alive([socket], call(socket, 'message-with-ack', sent)), [sent]);
      await pause(5);
    }
  }));

  test('a WebSocket that does not answer is gone, with its reason', async (t) => {
    const observer = await observe(t);
    const started = performance.now();
    const socket = await RawWebSocket.open(fixture, 'fast');
    const id = await socket.connect();
    const asked = socket.find('2').then(() => performance.now() - started);
    await socket.end();
    const lived = performance.now() - started;
    assert.ok((await asked) >= INTERVAL - EARLY, 'the ping came too early');
    assert.ok(lived >= INTERVAL + TIMEOUT - EARLY, `closed after ${lived} ms`);
    assert.equal(socket.messages.items.filter((m) => m === '2').length, 1);
    assert.equal(await reasonOf(observer, id), 'ping timeout');
  });

  test('messages are no pongs', async (t) => {
    const observer = await observe(t);
    const socket = await RawWebSocket.open(fixture, 'fast');
    const id = await socket.connect();
    const talk = setInterval(() => socket.send('42["message","x"]'), 20);
    t.after(() => clearInterval(talk));
    socket.socket.on('message', (m) => m.toString() === '2' && socket.socket.pong());
    await socket.end();
    assert.equal(await reasonOf(observer, id), 'ping timeout');
  });

  test('a WebSocket that answers lives', (t) => survive(t, fixture, async () => {
    const socket = (await RawWebSocket.open(fixture, 'fast')).beat();
    t.after(() => socket.terminate());
    const ended = socket.closed.then(() => {
      throw new Error('closed');
    });
    await Promise.race([socket.connect(), ended]);
    const count = (items) => items.filter((m) => m === '2').length;
    await Promise.race([socket.messages.until((items) => count(items) >= 6, 'six pings'), ended]);
    socket.send('420["message-with-ack","alive"]');
    await Promise.race([socket.find('430["alive"]'), ended]);
  }));

  test('a polling client that fetches its pings but does not answer is gone', async (t) => {
    const observer = await observe(t);
    const started = performance.now();
    const session = await PollingSession.start(fixture, 'fast');
    await session.post('40');
    let id;
    let pings = 0;
    await eventually(async () => {
      const answer = await session.get();
      if (answer.status === 400) return true;
      assert.equal(answer.status, 200);
      for (const packet of answer.text.split('\x1e')) {
        if (packet.startsWith('40')) id = JSON.parse(packet.slice(2)).sid;
        if (packet === '2') pings++;
      }
      return false;
    }, 'the end of the session');
    assert.ok(performance.now() - started >= INTERVAL + TIMEOUT - EARLY);
    assert.equal(pings, 1);
    assert.equal(await reasonOf(observer, id), 'ping timeout');
  });

  test('a polling client that sends nothing more is gone', async (t) => {
    const observer = await observe(t);
    const session = await PollingSession.start(fixture, 'fast');
    const id = await session.connect();
    assert.equal(await reasonOf(observer, id), 'ping timeout');
    assert.equal((await session.get()).status, 400);
    assert.equal((await session.post('3')).status, 400);
  });

  test('a polling client that posts but does not answer is gone', async (t) => {
    const observer = await observe(t);
    const session = await PollingSession.start(fixture, 'fast');
    const id = await session.connect();
    await eventually(async () => (await session.post('42["message","x"]')).status === 400, 'the end of the session');
    assert.equal(await reasonOf(observer, id), 'ping timeout');
  });

  test('a ping of the client outside of a probe ends its session, a pong too many does not', async (t) => {
    const observer = await observe(t);
    const socket = await RawWebSocket.open(fixture);
    const id = await socket.connect();
    for (let i = 0; i < 5; i++) socket.send('3');
    socket.send('6');
    socket.send('420["message-with-ack","on"]');
    await socket.find('430["on"]');
    socket.send('2');
    await socket.end();
    assert.equal(await reasonOf(observer, id), 'transport error');
  });

  test('many clients live through their heartbeat together', (t) => survive(t, fixture, async () => {
    const sockets = await Promise.all(
      upTo(30).map((i) => new Bench(t, fixture, SETTINGS[i % 3]).connect({ profile: 'fast' })),
    );
    try {
      await alive(sockets, Promise.all(sockets.map((s) => pings(s, 4))));
    } finally {
      sockets.forEach((s) => s.disconnect());
    }
  }));
}, { concurrency: 4 });
