// Clients 2.x: Engine.IO 3, JSONP, and their Socket.IO, alone and together with clients 4.x.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, Log, SETTINGS, call, eventually, next, reasonOf, record, shape, suite, transportOf, unique, upTo, within } from './harness/index.mjs';
import { SETTINGS2, connected2, engine, matrix2, parser, refused2 } from './harness/client2.mjs';
import { requests } from './harness/jsonp.mjs';
import { RawWebSocket, endpoint, proxy, request } from './harness/raw.mjs';

const bytes = (...values) => Buffer.from(values);

suite('clients 2.x', (fixture) => {
  /** A client 4.x to look on with. */
  const observe = (t) => new Bench(t, fixture, SETTINGS[1]).connect();

  matrix2('connects and settles on its transport', fixture, async (bench) => {
    const socket = await bench.connect();
    await eventually(() => transportOf(socket) === bench.setting.ends, 'the transport it settles on');
    assert.deepEqual(await call(socket, 'transport'), [bench.setting.ends]);
    assert.deepEqual(await call(socket, 'id'), [socket.id]);
    assert.equal(socket.id, socket.io.engine.id);
    assert.deepEqual(await call(socket, 'rooms'), [[], true]);
  });

  matrix2('events and acknowledgements both ways', fixture, async (bench) => {
    const socket = await bench.connect();
    const values = [1, 'two – ünïcode 😀 \u2028', { three: [null, { a: '</script>', b: 'line\nline \\n' }] }, true, []];
    const back = next(socket, 'message-back');
    socket.emit('message', ...values);
    assert.deepEqual(await back, values);
    assert.deepEqual(await call(socket, 'message-with-ack', ...values), values);
    socket.on('emit-with-ack', (...args) => args.pop()(...args));
    const result = next(socket, 'emit-with-ack-result');
    socket.emit('emit-with-ack', ...values);
    assert.deepEqual(await result, values);
  });

  matrix2('binary both ways, in events and acknowledgements', fixture, async (bench) => {
    const socket = await bench.connect();
    const values = [bytes(1, 2, 3), { deep: [bytes(), { er: bytes(0, 255, 4) }] }, 'text', Buffer.alloc(5000, 7)];
    const back = next(socket, 'message-back');
    socket.emit('message', ...values);
    assert.deepEqual(shape(await back), shape(values));
    assert.deepEqual(shape(await call(socket, 'message-with-ack', ...values)), shape(values));
    assert.deepEqual(await call(socket, 'describe', ...values), shape(values));
    socket.on('emit-with-ack', (...args) => args.pop()(...args));
    const result = next(socket, 'emit-with-ack-result');
    socket.emit('emit-with-ack', ...values);
    assert.deepEqual(shape(await result), shape(values));
  });

  matrix2('many messages in order', fixture, async (bench) => {
    const socket = await bench.connect();
    const log = record(socket, 'message-back');
    for (const i of upTo(300)) socket.emit('message', i, i % 10 ? 'é' : bytes(i & 255));
    const items = await log.count(300);
    assert.deepEqual(items.map(([, i]) => i), upTo(300));
    const burst = record(socket, 'burst', 'burst-end');
    await call(socket, 'burst', 500, 100);
    assert.deepEqual((await burst.count(501)).map(([, i]) => i), [...upTo(500), 500]);
  });

  matrix2('a namespace with its query as the auth payload', fixture, async (bench) => {
    const socket = await bench.connect();
    const custom = bench.also(socket, '/custom', { query: { token: 'a b&c', lang: 'ü' } });
    const auth = next(custom, 'auth');
    await connected2(custom);
    assert.deepEqual(await auth, [{ token: 'a b&c', lang: 'ü' }]);
    assert.equal(custom.id, `/custom#${socket.id}`);
    assert.deepEqual(await call(custom, 'id'), [custom.id]);
    assert.deepEqual(await call(custom, 'message-with-ack', bytes(1)), [bytes(1)]);
    const slow = await connected2(bench.also(socket, '/async'));
    assert.deepEqual(await call(slow, 'message-with-ack', 1), [1]);
    // A client may leave and return; the others do not notice.
    custom.close();
    custom.connect();
    await connected2(custom);
    assert.deepEqual(await call(socket, 'message-with-ack', 2), [2]);
  });

  matrix2('refusals carry the data or the message', fixture, async (bench) => {
    const socket = await bench.connect();
    assert.deepEqual(await refused2(bench.also(socket, '/admin')), { code: 401, content: 'please retry later' });
    assert.equal(await refused2(bench.also(socket, '/plain-reject')), 'no data here');
    assert.deepEqual(await refused2(bench.also(socket, '/unknown')), { message: 'Invalid namespace' });
    assert.deepEqual(await call(socket, 'message-with-ack', 'still here'), ['still here']);
  });

  matrix2('clients of both versions in one room', fixture, async (bench, t) => {
    const three = await bench.connect();
    const fours = await Promise.all([0, 1, 2].map((i) => new Bench(t, fixture, SETTINGS[i]).connect()));
    const all = [three, ...fours];
    const room = unique('room');
    for (const socket of all) assert.deepEqual(await call(socket, 'join', room), [[room]]);
    const event = unique('event');
    const logs = all.map((socket) => record(socket, event));
    const args = ['text é', bytes(1, 2, 3), { list: [bytes(), Buffer.alloc(3000, 9)] }];
    await call(fours[0], 'broadcast', { from: 'nsp', to: [room] }, event, 1, ...args);
    await call(three, 'broadcast', { from: 'nsp', to: [room] }, event, 2, ...args);
    await call(three, 'broadcast', { to: [room] }, event, 3);
    await call(fours[1], 'broadcast', { from: 'nsp', to: [three.id] }, event, 4);
    await call(fours[2], 'broadcast', { from: 'nsp', to: [room], except: [three.id] }, event, 5);
    const counts = [3, 4, 4, 4];
    const items = await Promise.all(logs.map((log, i) => log.count(counts[i])));
    items.forEach((list, i) => {
      assert.deepEqual(list.map(([, n]) => n), i === 0 ? [1, 2, 4] : [1, 2, 3, 5]);
      for (const [, n, ...rest] of list) if (n < 3) assert.deepEqual(shape(rest), shape(args));
    });
  });

  matrix2('the server disconnects', fixture, async (bench, t) => {
    const observer = await observe(t);
    const socket = await bench.connect();
    const custom = await connected2(bench.also(socket, '/custom'));
    const { id } = custom;
    let gone = next(custom, 'disconnect');
    custom.emit('disconnect-me', false);
    assert.equal((await gone)[0], 'io server disconnect');
    assert.equal(await reasonOf(observer, id), 'server namespace disconnect');
    assert.deepEqual(await call(socket, 'message-with-ack', 'stays'), ['stays']);
    const own = socket.id;
    gone = next(socket, 'disconnect');
    socket.emit('disconnect-me', true);
    assert.equal((await gone)[0], 'io server disconnect');
    assert.equal(await reasonOf(observer, own), 'server namespace disconnect');
  });

  matrix2('the client disconnects', fixture, async (bench, t) => {
    const observer = await observe(t);
    const socket = await bench.connect();
    const { id } = socket;
    await eventually(() => transportOf(socket) === bench.setting.ends, 'the transport it settles on');
    socket.disconnect();
    assert.match(await reasonOf(observer, id), /^(client namespace disconnect|transport close)$/);
  });

  matrix2('the client comes back', fixture, async (bench) => {
    const via = await proxy(fixture);
    const socket = await bench.connect({ url: via.url, reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 50 });
    await eventually(() => transportOf(socket) === bench.setting.ends, 'the transport it settles on');
    const first = socket.id;
    const again = next(socket, 'reconnect');
    if (bench.setting.ends === 'polling') await eventually(() => via.waiting() > 0, 'a GET that waits');
    via.cut();
    await again;
    await connected2(socket);
    assert.notEqual(socket.id, first);
    assert.deepEqual(await call(socket, 'message-with-ack', bytes(5)), [bytes(5)]);
  });

  matrix2('the client pings and is answered', fixture, async (bench) => {
    const socket = await bench.connect();
    await eventually(() => transportOf(socket) === bench.setting.ends, 'the transport it settles on');
    for (let i = 0; i < 3; i++) {
      const pong = next(socket.io.engine, 'pong');
      socket.io.engine.ping();
      await pong;
    }
  });

  for (const setting of SETTINGS2) {
    test(`plain Engine.IO, text and binary [2.x, ${setting.name}]`, async (t) => {
      // The heartbeat of this profile is fast. A busy machine may lose a session, which is then opened again.
      for (let left = 10; ; left--) {
        const socket = engine(`ws://127.0.0.1:${fixture.port('engine3')}`, { path: fixture.path('engine3'), ...setting.options });
        t.after(() => socket.close());
        const log = new Log();
        let over = false;
        socket.on('message', (m) => log.push(m)).on('close', () => { over = true; log.push(null); }).on('error', () => {});
        await next(socket, 'open');
        for (const m of ['hello', '€ 😀', 'x']) socket.send(m);
        socket.send(bytes(1, 2, 3));
        const items = await log.until((all) => over || all.length === 4, 'four messages');
        if (over && left > 0) continue;
        assert.deepEqual(shape(items), shape(['hello', '€ 😀', 'x', bytes(1, 2, 3)]));
        break;
      }
    });
  }

  test('JSONP answers are scripts, its posts are answered', () => {
    const [gets, posts] = ['GET', 'POST'].map((method) => requests.filter((r) => r.method === method && r.status === 200));
    assert.ok(gets.length > 10 && posts.length > 10, 'the tests above have used it');
    for (const { type, body } of gets) {
      assert.equal(type, 'text/javascript; charset=UTF-8');
      assert.match(body, /^___eio\[\d+\]\(".*"\);$/);
    }
    for (const { body } of posts) assert.equal(body, 'ok');
  });

  test('a binary payload is what the official parser reads', async () => {
    const at = (sid) => endpoint(fixture, 'engine3', { EIO: '3', transport: 'polling', ...(sid && { sid }) });
    const open = await request(at());
    assert.equal(open.headers['content-type'], 'text/plain; charset=UTF-8');
    const { sid } = JSON.parse(open.text.slice(open.text.indexOf(':') + 2));
    const packets = [{ type: 'message', data: 'é😀' }, { type: 'message', data: bytes(1, 200, 3) }];
    const body = await new Promise((resolve) => parser.encodePayload(packets, true, resolve));
    const posted = await request(at(sid), { method: 'POST', body, headers: { 'Content-Type': 'application/octet-stream' } });
    assert.equal(posted.text, 'ok');
    const answer = await within(fetch(at(sid)), 'the payload');
    assert.equal(answer.headers.get('content-type'), 'application/octet-stream');
    const got = [];
    parser.decodePayload(Buffer.from(await answer.arrayBuffer()), (packet) => got.push(packet));
    assert.deepEqual(shape(got), shape(packets));
  });

  test('a client that does not ping is gone, one that pings is not pinged', async () => {
    const socket = await RawWebSocket.open(fixture, 'engine3', { query: { EIO: '3' } });
    socket.send('2');
    await socket.find('3');
    socket.send('2probe');
    await socket.find('3probe');
    await socket.end();
    assert.equal(socket.messages.items.filter((m) => m === '2').length, 0);
  });

  test('Engine.IO 3 is off by default', async () => {
    const answer = await request(endpoint(fixture, 'fast', { EIO: '3', transport: 'polling' }));
    assert.equal(answer.status, 400);
    assert.deepEqual(answer.json(), { code: 5, message: 'Unsupported protocol version' });
  });
});
