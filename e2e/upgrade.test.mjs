// The upgrade from polling to WebSocket, under traffic and step by step.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Bench, SETTINGS, call, connected, eventually, matrix, pause, record, suite, transportOf, unique, upTo,
} from './harness/index.mjs';
import { PollingSession, RawWebSocket, proxy, request } from './harness/raw.mjs';

const UPGRADE = SETTINGS.find((s) => s.name === 'upgrade');
const ALL = { from: 'nsp' };

/** A client that talks from before its connection to after its upgrade, and what it must have got by then. */
class Talker {
  sent = 0;
  received = [];

  constructor(socket, room, tick) {
    this.socket = socket;
    this.room = room;
    this.ticks = record(socket, tick);
    socket.on('message-back', (i, body) => this.received.push(['event', i, body?.length ?? 0]));
    socket.on('burst', (i) => this.received.push(['burst', i]));
  }

  expected = [];

  say() {
    const i = this.sent++;
    switch (i % 4) {
      case 0:
        this.socket.emit('message-with-ack', i, (v) => this.received.push(['ack', v]));
        this.expected.push(['ack', i]);
        break;
      case 1:
        this.socket.emit('message', i, Buffer.alloc(1 + (i % 50), i));
        this.expected.push(['event', i, 1 + (i % 50)]);
        break;
      default:
        this.socket.emit('message', i);
        this.expected.push(['event', i, 0]);
    }
  }

  burst(n) {
    this.socket.emit('burst', n, 30);
    for (const i of upTo(n)) this.expected.push(['burst', i]);
  }

  async run() {
    this.socket.emit('join', this.room);
    for (let i = 0; i < 20; i++) this.say();
    await connected(this.socket);
    this.burst(50);
    let during = 0;
    for (; transportOf(this.socket) !== 'websocket'; during++) {
      for (let i = 0; i < 3; i++) this.say();
      if (during % 4 === 0) this.burst(5);
      assert.ok(during < 1000, 'no upgrade');
      await pause(1);
    }
    for (let i = 0; i < 100; i++) this.say();
    this.burst(50);
    assert.deepEqual(await call(this.socket, 'transport'), ['websocket']);
    return during;
  }

  check() {
    assert.deepEqual(this.received, this.expected);
    const numbers = this.ticks.items.map(([, i]) => i);
    assert.deepEqual(numbers, upTo(numbers.length).map((i) => numbers[0] + i), 'broadcasts');
  }
}

suite('upgrade', (fixture) => {
  for (const wave of upTo(8)) {
    test(`nothing lost or reordered under traffic in both directions, wave ${wave + 1}`, async (t) => {
      const bench = new Bench(t, fixture, UPGRADE);
      const [room, tick] = [unique('room'), unique('tick')];
      const source = await new Bench(t, fixture, SETTINGS[1]).connect();
      const talkers = upTo(20).map(() => new Talker(bench.dial(), room, tick));
      let done = false;
      let ticks = 0;
      const publish = (async () => {
        while (!done) {
          source.emit('broadcast', { ...ALL, to: [room] }, tick, ticks++);
          await pause(1);
        }
        await call(source, 'broadcast', { ...ALL, to: [room] }, tick, ticks++);
      })();
      try {
        await Promise.all(talkers.map((talker) => talker.run()));
      } finally {
        done = true;
        await publish;
      }
      for (const talker of talkers) {
        await talker.ticks.until((items) => items.at(-1)?.[1] === ticks - 1, 'the last broadcast');
        await call(talker.socket, 'message-with-ack', 'fence');
        talker.check();
      }
    });
  }

  test('many clients upgrade at once', async (t) => {
    const bench = new Bench(t, fixture, UPGRADE);
    const sockets = await Promise.all(upTo(60).map(() => bench.settle()));
    const answers = await Promise.all(sockets.map((s, i) => call(s, 'message-with-ack', i)));
    assert.deepEqual(answers, upTo(60).map((i) => [i]));
  });

  test('the client leaves in the middle of its upgrade', async (t) => {
    const bench = new Bench(t, fixture, UPGRADE);
    const observer = await bench.settle();
    for (const moment of ['open', 'upgrading', 'upgrade']) {
      const socket = bench.dial();
      const id = await connected(socket).then((s) => s.id);
      if (moment !== 'open' && transportOf(socket) === 'polling') {
        await new Promise((resolve) => socket.io.engine.once(moment, resolve));
      }
      socket.emit('message', 'last');
      socket.disconnect();
      await eventually(async () => (await call(observer, 'reason', id))[0], `the end after "${moment}"`);
    }
  });

  test('step by step: probe, noop, upgrade; the queue comes on the WebSocket, in order', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    const waiting = session.poll();
    const socket = await session.websocket();
    socket.send('2probe');
    await socket.find('3probe');
    // This GET may get the first packets of the session ("auth"); later ones get a noop at once.
    const first = await waiting;
    if (first[0] !== '6') assert.deepEqual(first, ['42["auth",{}]']);
    for (let i = 0; i < 3; i++) assert.deepEqual(await session.poll(), ['6']);
    // Answers now wait for the WebSocket.
    assert.equal((await session.post('420["message-with-ack","a"]', '42["message","b"]')).text, 'ok');
    assert.equal((await session.post('421["message-with-ack","c"]')).text, 'ok');
    assert.deepEqual(await session.poll(), ['6']);
    assert.deepEqual(socket.messages.items, ['3probe']);
    socket.send('5');
    socket.send('422["message-with-ack","d"]');
    await socket.find('432["d"]');
    assert.deepEqual(
      socket.messages.items.filter((m) => m !== '42["auth",{}]'),
      ['3probe', '430["a"]', '42["message-back","b"]', '431["c"]', '432["d"]'],
    );
    socket.terminate();
  });

  test('polling after the upgrade is refused and the session goes on', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    const socket = await session.websocket();
    socket.send('2probe');
    await socket.find('3probe');
    socket.send('5');
    socket.send('420["message-with-ack",1]');
    await socket.find('430[1]');
    const get = await session.get();
    assert.equal(get.status, 400);
    assert.deepEqual(get.json(), { code: 3, message: 'Bad request' });
    assert.equal((await session.post('42["message","x"]')).status, 400);
    socket.send('421["message-with-ack",2]');
    await socket.find('431[2]');
    socket.terminate();
  });

  test('a second WebSocket for a session is closed and the first goes on', async () => {
    const upgraded = await PollingSession.start(fixture);
    await upgraded.connect();
    const first = await upgraded.websocket();
    first.send('2probe');
    await first.find('3probe');
    // While the first one probes, and after it has taken over.
    await (await upgraded.websocket()).end();
    first.send('5');
    first.send('420["message-with-ack",1]');
    await first.find('430[1]');
    await (await upgraded.websocket()).end();
    first.send('421["message-with-ack",2]');
    await first.find('431[2]');
    first.terminate();

    const direct = await RawWebSocket.open(fixture);
    const { sid } = JSON.parse((await direct.find((m) => m[0] === '0')).slice(1));
    await direct.connect();
    const second = await RawWebSocket.open(fixture, 'main', { sid });
    await second.end();
    assert.deepEqual(second.messages.items, []);
    direct.send('420["message-with-ack",3]');
    await direct.find('430[3]');
    direct.terminate();
  });

  test('an event begun over polling and ended over WebSocket', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    const socket = await session.websocket();
    socket.send('2probe');
    await socket.find('3probe');
    await session.post('452-0["describe",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', 'bAQI=');
    socket.send('5');
    socket.send(Buffer.from([3]));
    await socket.find('430[{"$bin":"0102"},{"$bin":"03"}]');
    socket.terminate();
  });

  test('a failed probe closes only its WebSocket, and a new upgrade works', async () => {
    for (const wrong of ['2nope', '4hello', '6', 'nonsense', Buffer.from('2probe')]) {
      const session = await PollingSession.start(fixture);
      await session.connect();
      const failed = await session.websocket();
      failed.send(wrong);
      await failed.end();
      await session.post('420["message-with-ack","still polling"]');
      await session.until((p) => p === '430["still polling"]');
      const socket = await session.websocket();
      socket.send('2probe');
      await socket.find('3probe');
      socket.send('5');
      socket.send('421["message-with-ack","now"]');
      await socket.find('431["now"]');
      socket.terminate();
    }
  });

  test('a WebSocket that probes and vanishes leaves the session polling', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    for (let i = 0; i < 3; i++) {
      const socket = await session.websocket();
      socket.send('2probe');
      await socket.find('3probe');
      socket.terminate();
      await session.post(`42${i}["message-with-ack","on"]`);
      await session.until((p) => p === `43${i}["on"]`);
    }
  });

  test('an upgrade that is not completed in time ends, polling goes on', async () => {
    const session = await PollingSession.start(fixture, 'opts');
    await session.connect();
    const started = performance.now();
    const [silent, probed] = [await session.websocket(), await PollingSession.start(fixture, 'opts')];
    await probed.connect();
    const socket = await probed.websocket();
    socket.send('2probe');
    await socket.find('3probe');
    await Promise.all([silent.end(), socket.end()]);
    assert.ok(performance.now() - started >= 450, 'upgradeTimeout is 500 ms');
    for (const s of [session, probed]) {
      await s.post('420["message-with-ack","on"]');
      await s.until((p) => p === '430["on"]');
    }
  });

  test('a WebSocket for a session that is not there', async () => {
    await assert.rejects(RawWebSocket.open(fixture, 'main', { sid: 'nobody-knows-me' }), /status 400/);
    const gone = await PollingSession.start(fixture);
    await gone.post('1');
    await assert.rejects(gone.websocket(), /status 400/);
  });

  test('probe and upgrade packet in one segment', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    const socket = await session.websocket();
    socket.socket._socket.cork();
    socket.send('2probe');
    socket.send('5');
    socket.send('420["message-with-ack","quick"]');
    socket.socket._socket.uncork();
    await socket.find('430["quick"]');
    socket.terminate();
  });

  test('a client that cannot upgrade stays on polling and gets every broadcast', async (t) => {
    const { url } = await proxy(fixture, 'main', { blockWebSocket: true });
    const sender = await new Bench(t, fixture, SETTINGS[1]).connect();
    const bench = new Bench(t, fixture, UPGRADE);
    const sockets = upTo(4).map(() => bench.dial({ url }));
    const failures = sockets.map((s) => new Promise((resolve) => s.io.once('open', () => s.io.engine.once('upgradeError', resolve))));
    await Promise.all(sockets.map(connected));
    const [room, tick] = [unique('room'), unique('tick')];
    const logs = sockets.map((s) => record(s, tick));
    await Promise.all(sockets.map((s) => call(s, 'join', room)));
    for (const i of upTo(500)) sender.emit('broadcast', { to: [room] }, tick, i);
    await Promise.all(failures);
    for (const i of upTo(500)) sender.emit('broadcast', { to: [room] }, tick, 500 + i);
    await Promise.all(logs.map((log) => log.count(1000)));
    for (const log of logs) assert.deepEqual(log.items.map(([, i]) => i), upTo(1000));
    for (const s of sockets) assert.deepEqual(await call(s, 'transport'), ['polling']);
  });

  test('a client that begins with a blocked WebSocket falls back to polling', async (t) => {
    const { url } = await proxy(fixture, 'main', { blockWebSocket: true });
    const bench = new Bench(t, fixture, SETTINGS.find((s) => s.name === 'websocket first'));
    const socket = await bench.connect({ url, tryAllTransports: true });
    assert.equal(transportOf(socket), 'polling');
    assert.deepEqual(await call(socket, 'message-with-ack', 'x'), ['x']);
  });

  matrix('traffic right after the connection, on each setting', fixture, async (bench) => {
    const sockets = upTo(10).map(() => bench.dial());
    const logs = sockets.map((s) => record(s, 'message-back'));
    sockets.forEach((s) => upTo(50).forEach((i) => s.emit('message', i)));
    await Promise.all(logs.map((log) => log.count(50)));
    for (const log of logs) assert.deepEqual(log.items.map(([, i]) => i), upTo(50));
  });

  test('the upgrade is offered to polling alone', async () => {
    const answer = await request(`${fixture.url()}/socket.io/?EIO=4&transport=polling`);
    const open = JSON.parse(answer.text.slice(1));
    assert.deepEqual(open.upgrades, ['websocket']);
    await request(`${fixture.url()}/socket.io/?EIO=4&transport=polling&sid=${open.sid}`, { method: 'POST', body: '1' });
  });
});
