// `siren serve` with a configuration, and the official client: rules of namespaces, what clients may send, counts, a reload.
// SIREN_BIN names the binary.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { directory, freePort, run } from './harness/program.mjs';
import { next, within } from './harness/wait.mjs';

const SIREN = path.resolve(fileURLToPath(new URL('.', import.meta.url)), process.env.SIREN_BIN ?? '../bin/siren');

const RULES = `namespaces:
  - {name: "/", publish: true, join: true, presence: true}
  - {name: "/news", join: true}
  - {pattern: "^/room-[0-9]+$", publish: true, join: true, presence: true, rooms: ["seat-*"]}
`;

/** A node with that configuration; resolves with a function that connects, and the node's process. */
async function serve(t, config) {
  const file = path.join(directory(t), 'siren.yaml');
  writeFileSync(file, config);
  const port = await freePort();
  const args = ['serve', '--config', file, '--addr', `127.0.0.1:${port}`, '--admin-listen', '', '--drain-spread', '0s'];
  const [, pid] = await run(t, '/bin/sh', ['-c', 'echo "pid $$"; exec "$0" "$@"', SIREN, ...args], /pid (\d+)[^]*siren serves/);
  const connect = async (namespace, options = {}) => {
    const socket = io(`http://127.0.0.1:${port}${namespace}`, { forceNew: true, reconnection: false, ...options });
    t.after(() => socket.disconnect());
    const counts = [];
    socket.on('count', (n) => counts.push(n));
    await Promise.race([
      next(socket, 'connect'),
      next(socket, 'connect_error').then(([err]) => Promise.reject(err)),
    ]);
    return { socket, counts, ask: (...args) => within(socket.emitWithAck(...args), `the answer to ${args[0]}`) };
  };
  return { connect, file, pid: Number(pid) };
}

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  test(`events of clients, over ${transports}`, async (t) => {
    const { connect } = await serve(t, RULES);
    const [a, b] = [await connect('/', { transports }), await connect('/', { transports })];
    assert.deepEqual(await a.ask('join', ['r', 's']), { status: 'ok' });
    assert.deepEqual(await b.ask('join', 'r'), { status: 'ok' });
    const heard = next(b.socket, 'news');
    const data = { text: 'ü', file: Buffer.from([0, 255, 7]), list: [1, null, { deep: Buffer.from([9]) }] };
    const answer = await a.ask('publish', { rooms: ['r', 's'], event: 'news', args: [data, 2], except: a.socket.id });
    assert.deepEqual(answer.status, 'ok');
    assert.deepEqual(await heard, [data, 2]);
    const all = next(b.socket, 'hello');
    assert.deepEqual(await a.ask('publish', { all: true, event: 'hello', data: 'x' }), { status: 'ok', count: 2 });
    assert.deepEqual(await all, ['x']);
    assert.deepEqual(await b.ask('leave', 'r'), { status: 'ok' });

    for (const [args, error] of [
      [['join', 'a', 'b'], 'further arguments are not allowed'],
      [['join'], 'the rooms must be a string or a list of strings'],
      [['publish', { event: 'e', data: 1, room: undefined }], 'the room is missing; all: true means everybody'],
      [['publish', { event: 'count', all: true }], 'the event name is reserved'],
      [['unheard of', 1], 'unknown event'],
    ]) {
      assert.deepEqual(await a.ask(...args), { error });
    }
    const misspelt = await a.ask('publish', { event: 'e', rooom: 'r' });
    assert.match(misspelt.error, /^unknown key "rooom"/);
  });
}

test('rules of namespaces', async (t) => {
  const { connect } = await serve(t, RULES);
  await assert.rejects(connect('/other'), { message: 'Invalid namespace' });
  const news = await connect('/news');
  assert.deepEqual(await news.ask('join', 'sports'), { status: 'ok' });
  assert.deepEqual(await news.ask('publish', { room: 'sports', event: 'e' }), { error: 'not allowed' });
  assert.deepEqual(news.counts, []);
  const room = await connect('/room-7');
  assert.deepEqual(await room.ask('join', 'seat-1'), { status: 'ok' });
  assert.deepEqual(await room.ask('join', 'stage'), { error: 'not allowed' });
  assert.deepEqual(await room.ask('publish', { all: true, event: 'e' }), { error: 'not allowed' });
  assert.deepEqual(await room.ask('publish', { room: 'seat-1', event: 'e' }), { status: 'ok', count: 1 });
});

test('each namespace of a pattern counts its own sockets', async (t) => {
  const { connect } = await serve(t, RULES);
  const first = await connect('/room-1');
  await connect('/room-2');
  const second = await connect('/room-1');
  while (first.counts.at(-1) !== 2) await next(first.socket, 'count');
  second.socket.disconnect();
  while (first.counts.at(-1) !== 1) await next(first.socket, 'count');
  assert.equal(first.counts[0], 1);
});

test('SIGHUP puts new rules in force', async (t) => {
  const { connect, file, pid } = await serve(t, RULES);
  const [root, room] = [await connect('/'), await connect('/room-1')];
  const gone = next(room.socket, 'disconnect');
  writeFileSync(file, 'namespaces: [{name: "/"}, {name: "/other", join: true}]\n');
  process.kill(pid, 'SIGHUP');
  assert.deepEqual((await gone)[0], 'io server disconnect');
  assert.deepEqual(await root.ask('join', 'r'), { error: 'not allowed' });
  const other = await connect('/other');
  assert.deepEqual(await other.ask('join', 'r'), { status: 'ok' });
  await assert.rejects(connect('/room-1'), { message: 'Invalid namespace' });
});
