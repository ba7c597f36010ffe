// Connecting: namespaces, middleware, and the handshake.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Bench, SETTINGS, call, connected, eventually, matrix, next, record, refused, settled, suite, transportOf, unique,
} from './harness/index.mjs';
import { PollingSession, RawWebSocket } from './harness/raw.mjs';

suite('connect', (fixture) => {
  matrix('connects and settles on its transport', fixture, async (bench) => {
    const socket = await bench.settle();
    assert.equal(transportOf(socket), bench.setting.ends);
    const [id] = await call(socket, 'id');
    assert.equal(id, socket.id);
    assert.notEqual(socket.id, socket.io.engine.id, 'the session id is a secret, the socket id is not');
  });

  matrix('the auth payload reaches the server, an absent one is empty', fixture, async (bench) => {
    for (const auth of [{ token: '123', nested: { list: [1, null, 'é'] } }, undefined]) {
      const socket = bench.dial({ auth });
      const [told] = await next(socket, 'auth');
      assert.deepEqual(told, auth ?? {});
    }
  });

  matrix('auth given as a function', fixture, async (bench) => {
    const socket = bench.dial({ auth: (done) => setImmediate(done, { token: 'late' }) });
    assert.deepEqual(await next(socket, 'auth'), [{ token: 'late' }]);
  });

  matrix('middleware refuses with a message and data', fixture, async (bench) => {
    const data = { code: 7, list: ['a', { b: null }] };
    const both = await refused(bench.dial({ auth: { reject: 'go away – ünïcode', rejectData: data } }));
    assert.equal(both.message, 'go away – ünïcode');
    assert.deepEqual(both.data, data);
    const admin = await refused(bench.dial({ ns: '/admin' }));
    assert.equal(admin.message, 'not authorized');
    assert.deepEqual(admin.data, { code: 401, content: 'please retry later' });
    const plain = await refused(bench.dial({ ns: '/plain-reject' }));
    assert.equal(plain.message, 'no data here');
    assert.equal(plain.data, undefined);
  });

  matrix('a refused socket may try again on the same connection', fixture, async (bench) => {
    // The client would close the connection without a second namespace.
    const custom = await bench.connect({ ns: '/custom' });
    const engine = custom.io.engine.id;
    const socket = bench.also(custom, '/', { auth: { reject: 'not yet' } });
    assert.equal((await refused(socket)).message, 'not yet');
    socket.auth = { token: 'good' };
    socket.connect();
    await connected(socket);
    assert.equal(socket.io.engine.id, engine);
    assert.deepEqual(await call(socket, 'message-with-ack', 'x'), ['x']);
  });

  matrix('an unknown namespace is refused and the connection stays', fixture, async (bench) => {
    const socket = await bench.connect();
    const engine = socket.io.engine.id;
    for (const ns of ['/nope', '/custom2', '/custom/', '/Custom', '/cust%6Fm', `/${'x'.repeat(200)}`]) {
      const error = await refused(bench.also(socket, ns));
      assert.equal(error.message, 'Invalid namespace', ns);
      assert.equal(error.data, undefined);
    }
    assert.deepEqual(await call(socket, 'message-with-ack', 'still here'), ['still here']);
    assert.equal(socket.io.engine.id, engine);
  });

  matrix('an unknown namespace alone, then a known one', fixture, async (bench) => {
    const bad = bench.dial({ ns: '/nope' });
    const good = bench.also(bad, '/custom');
    assert.equal((await refused(bad)).message, 'Invalid namespace');
    await connected(good);
    assert.deepEqual(await call(good, 'message-with-ack', 1), [1]);
  });

  matrix('a namespace without joining the default one', fixture, async (bench) => {
    const socket = await bench.connect({ ns: '/custom', auth: { only: 'custom' } });
    assert.deepEqual(await call(socket, 'message-with-ack', 'x', 2), ['x', 2]);
  });

  matrix('namespaces multiplexed on one connection do not mix', fixture, async (bench) => {
    const root = bench.dial({ auth: { ns: 'root' } });
    const custom = bench.also(root, '/custom', { auth: { ns: 'custom' } });
    const slow = bench.also(root, '/async', { auth: { ns: 'async' } });
    const sockets = [root, custom, slow];
    const auths = await Promise.all(sockets.map(async (s) => (await next(s, 'auth'))[0].ns));
    assert.deepEqual(auths, ['root', 'custom', 'async']);
    assert.equal(new Set(sockets.map((s) => s.io.engine.id)).size, 1);
    assert.equal(new Set(sockets.map((s) => s.id)).size, 3);

    const logs = sockets.map((s) => record(s, 'message-back'));
    for (let i = 0; i < 50; i++) sockets.forEach((s, k) => s.emit('message', k, i));
    await Promise.all(logs.map((log) => log.count(50)));
    logs.forEach((log, k) => {
      assert.deepEqual(log.items, Array.from({ length: 50 }, (_, i) => ['message-back', k, i]));
    });

    await Promise.all(sockets.map((s, k) => call(s, 'set-data', { of: k })));
    const data = await Promise.all(sockets.map(async (s) => (await call(s, 'get-data'))[0]));
    assert.deepEqual(data, [{ of: 0 }, { of: 1 }, { of: 2 }]);

    const old = custom.id;
    custom.disconnect();
    assert.deepEqual(await call(root, 'message-with-ack', 'still'), ['still']);
    assert.deepEqual(await call(slow, 'message-with-ack', 'here'), ['here']);
    // Joining again makes a new socket without the state of the old one.
    custom.connect();
    await connected(custom);
    assert.notEqual(custom.id, old);
    assert.deepEqual(await call(custom, 'get-data'), [null]);
    assert.deepEqual(logs.map((log) => log.length), [50, 50, 50]);
  });

  matrix('what is emitted while connecting comes after CONNECT, in order', fixture, async (bench) => {
    for (const ns of ['/', '/custom', '/async']) {
      const socket = bench.dial({ ns, auth: { n: 1 } });
      const packets = [];
      socket.io.on('packet', (packet) => packet.nsp === ns && packets.push(packet.type));
      const names = record(socket, 'auth', 'message-back');
      // Emitted before the connection exists: the client holds it until CONNECT.
      socket.emit('message', 'early');
      await names.count(2);
      assert.deepEqual(names.items, [['auth', { n: 1 }], ['message-back', 'early']]);
      assert.equal(packets[0], 0, 'the first packet is CONNECT');
      assert.deepEqual(packets.slice(1), [2, 2]);
    }
  });

  matrix('many connects and disconnects of a namespace on one connection', fixture, async (bench) => {
    const socket = await bench.connect();
    const other = bench.also(socket, '/custom');
    const ids = new Set();
    for (let i = 0; i < 20; i++) {
      await connected(other);
      ids.add(other.id);
      assert.deepEqual(await call(other, 'message-with-ack', i), [i]);
      other.disconnect();
      other.connect();
    }
    assert.equal(ids.size, 20);
    assert.deepEqual(await call(socket, 'message-with-ack', 'end'), ['end']);
  });

  matrix('the handshake is that of the first request, before and after the upgrade', fixture, async (bench) => {
    const before = Date.now();
    const socket = bench.dial({
      query: { room: 'a b&c=ü', flag: '' },
      extraHeaders: { 'X-Custom': 'Value', Origin: 'http://allowed.example' },
      auth: { k: 'v' },
    });
    const [first] = await call(socket, 'handshake');
    await settled(socket, bench.setting);
    const [later] = await call(socket, 'handshake');
    assert.deepEqual(later, first);
    assert.equal(first.query.room, 'a b&c=ü');
    assert.equal(first.query.flag, '');
    assert.equal(first.query.EIO, '4');
    assert.equal(first.headers['x-custom'], 'Value');
    assert.deepEqual(first.auth, { k: 'v' });
    assert.equal(first.address, '127.0.0.1');
    assert.equal(first.xdomain, true);
    assert.equal(first.secure, false);
    assert.ok(first.url.startsWith('/socket.io/?'), first.url);
    assert.ok(first.issued >= before - 1000 && first.issued <= Date.now() + 1000, String(first.issued));
    assert.ok(Math.abs(new Date(first.time).getTime() - first.issued) <= 1000, first.time);
    const startsWith = bench.setting.ends === 'websocket' && bench.setting.name !== 'upgrade' ? 'websocket' : 'polling';
    assert.equal(first.query.transport, startsWith);
  });

  matrix('the path with and without a trailing slash, and another path', fixture, async (bench) => {
    for (const options of [
      { path: '/socket.io' },
      { path: '/socket.io', addTrailingSlash: false },
      { profile: 'opts', path: '/custom-path' },
      { profile: 'opts', path: '/custom-path', addTrailingSlash: false },
    ]) {
      const socket = await bench.settle(options);
      assert.deepEqual(await call(socket, 'message-with-ack', 'x'), ['x']);
    }
  });

  test('session and socket ids are long, url-safe and never the same', async () => {
    const ids = [];
    for (let i = 0; i < 40; i++) {
      const session = await PollingSession.start(fixture);
      ids.push(session.sid, await session.connect());
      await session.post('1');
    }
    for (const id of ids) assert.match(id, /^[\w-]{20,}$/);
    assert.equal(new Set(ids).size, ids.length);
    // No id may help to guess another: no two share most of their characters.
    const alike = (a, b) => [...a].filter((c, i) => b[i] === c).length;
    for (let i = 1; i < ids.length; i++) assert.ok(alike(ids[i], ids[i - 1]) < 12, `${ids[i - 1]} ${ids[i]}`);
  });

  test('the open packet tells the settings', async () => {
    const main = (await PollingSession.start(fixture, 'main')).open;
    assert.deepEqual(
      { ...main, sid: '' },
      { sid: '', upgrades: ['websocket'], pingInterval: 25000, pingTimeout: 20000, maxPayload: 1000000 },
    );
    const socket = await RawWebSocket.open(fixture, 'fast');
    const open = JSON.parse((await socket.find((m) => m[0] === '0')).slice(1));
    assert.deepEqual(
      { ...open, sid: '' },
      { sid: '', upgrades: [], pingInterval: 300, pingTimeout: 200, maxPayload: 1000000 },
    );
    socket.terminate();
  });

  test('a connection that joins no namespace in time is closed, one that does is not', async () => {
    const started = performance.now();
    const idle = await RawWebSocket.open(fixture, 'opts');
    const refusedOnly = await RawWebSocket.open(fixture, 'opts');
    refusedOnly.send('40/nope,');
    const joined = await RawWebSocket.open(fixture, 'opts');
    await joined.connect();
    const polling = await PollingSession.start(fixture, 'opts');
    await Promise.all([idle.end(), refusedOnly.end()]);
    assert.ok(performance.now() - started >= 950, 'connectTimeout is 1000 ms');
    await eventually(async () => (await polling.get()).status === 400, 'the end of the polling session');
    joined.send('420["message-with-ack","x"]');
    await joined.find('430["x"]');
    joined.terminate();
  });

  test('a client that leaves its only namespace is given time to join another', async () => {
    const socket = await RawWebSocket.open(fixture, 'main');
    await socket.connect();
    socket.send('41');
    await socket.connect('/custom');
    socket.send('42/custom,0["message-with-ack",1]');
    await socket.find('43/custom,0[1]');
    socket.terminate();
  });

  test('connecting with odd auth payloads', async () => {
    for (const auth of ['{}', '{"a":{"b":[]}}']) {
      const socket = await RawWebSocket.open(fixture);
      await socket.connect('/', auth);
      await socket.find(`42["auth",${auth}]`);
      socket.terminate();
    }
  });

  test('clients of every setting at once on one server', async (t) => {
    const sockets = await Promise.all(
      SETTINGS.flatMap((setting) => {
        const bench = new Bench(t, fixture, setting);
        return [bench.connect(), bench.connect(), bench.connect({ ns: '/custom' })];
      }),
    );
    const tag = unique('tag');
    const answers = await Promise.all(sockets.map((s, i) => call(s, 'message-with-ack', tag, i)));
    answers.forEach((answer, i) => assert.deepEqual(answer, [tag, i]));
    assert.equal(new Set(sockets.map((s) => s.id)).size, sockets.length);
  });
});
