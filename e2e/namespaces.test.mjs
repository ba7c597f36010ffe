// Namespaces that clients make by connecting to them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, SETTINGS, call, connected, matrix, next, record, refused, suite } from './harness/index.mjs';

let serial = 0;

/** A name that the pattern takes and that no other test uses. */
const name = () => `/dyn-p${process.pid}n${++serial}`;

suite('namespaces', (fixture) => {
  matrix('a name that matches is a namespace with the handlers of its parent', fixture, async (bench) => {
    const nsp = name();
    const socket = bench.dial({ ns: nsp, auth: { who: 'me' } });
    assert.deepEqual(await next(socket, 'auth'), [{ who: 'me' }]);
    await connected(socket);
    assert.deepEqual(await call(socket, 'message-with-ack', 1, { a: [null] }), [1, { a: [null] }]);
    const [inLog] = await call(socket, 'any-log');
    assert.deepEqual(inLog, ['message-with-ack', 'any-log'], 'listeners of the parent hear all');
    const rejected = next(socket, 'mw-error');
    socket.emit('mw-reject');
    assert.deepEqual(await rejected, ['rejected by packet middleware']);
  });

  matrix('whole names alone match', fixture, async (bench) => {
    const socket = await bench.connect();
    for (const ns of ['/dyn-', '/dyn-A', '/dyn-a/', '/xdyn-a', '/dyn-a-b', '/dyn-é', `/dyn-${'a'.repeat(300)}!`]) {
      assert.equal((await refused(bench.also(socket, ns))).message, 'Invalid namespace', ns);
    }
    assert.deepEqual(await call(socket, 'message-with-ack', 'still here'), ['still here']);
  });

  matrix('sockets of one name meet, those of two do not', fixture, async (bench) => {
    const [one, two] = [name(), name()];
    const [a, b, c] = await Promise.all([one, one, two].map((ns) => bench.connect({ ns })));
    for (const s of [a, b, c]) await call(s, 'join', 'room');
    const [heardB, heardC] = [record(b, 'news'), record(c, 'news')];
    await call(a, 'broadcast', { to: ['room'] }, 'news', 1);
    await call(a, 'broadcast', { from: 'nsp' }, 'news', 2);
    assert.deepEqual(await heardB.count(2), [['news', 1], ['news', 2]]);
    await call(c, 'id'); // what was sent to c before has come with this
    assert.deepEqual(heardC.items, []);
  });

  matrix('several names on one connection, connected in any order', fixture, async (bench) => {
    const main = await bench.connect();
    const names = [name(), name(), name()];
    const sockets = names.map((ns) => bench.also(main, ns));
    await Promise.all(sockets.map(connected));
    const ids = new Set([main.id, ...sockets.map((s) => s.id)]);
    assert.equal(ids.size, 4);
    for (const [i, s] of sockets.entries()) assert.deepEqual(await call(s, 'message-with-ack', i), [i]);
    sockets[0].disconnect();
    assert.deepEqual(await call(sockets[1], 'message-with-ack', 'stays'), ['stays']);
    sockets[0].connect();
    await connected(sockets[0]);
    assert.deepEqual(await call(sockets[0], 'message-with-ack', 'back'), ['back']);
  });

  test('clients come and go in one name, and none is lost', async (t) => {
    const bench = new Bench(t, fixture, SETTINGS.find((s) => s.name === 'websocket'));
    const nsp = name();
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        for (let round = 0; round < 10; round++) {
          const socket = await bench.connect({ ns: nsp });
          assert.deepEqual(await call(socket, 'message-with-ack', i, round), [i, round]);
          socket.disconnect();
        }
      }),
    );
  });
});
