// Clients and servers with the MessagePack parser.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import WebSocket from 'ws';
import { call, connected, disconnection, matrix, next, reasonOf, record, refused, settled, shape, suite, unique, upTo } from './harness/index.mjs';
import { within } from './harness/wait.mjs';

const require = createRequire(import.meta.url);
const parser = require('socket.io-msgpack-parser');

const ONLY = { only: ['polling', 'websocket', 'upgrade'] };
const MSGPACK = { profile: 'msgpack', parser };

/** Values of every kind. (The parser's own encoder spoils integers from 2^64 on.) */
const VALUES = [
  null, true, false, 0, 1, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, Number.MAX_SAFE_INTEGER,
  -1, -32, -33, -128, -129, -32_768, -32_769, -2_147_483_648, -2_147_483_649, Number.MIN_SAFE_INTEGER, 2 ** 60, -(2 ** 60), 2 ** 63,
  1.5, -2.25e-7, 0.1, 1 / 3, Number.MIN_VALUE, 123_456_789.25,
  '', ' ', 'plain', '"quoted" \\ back/slash', '[', '{"a":', 'line\nbreak\ttab\r\0nul\x1erecord\x1funit\x7f',
  'ünïcödé', '日本語', '👩‍👩‍👧‍👦 family', '\u2028\u2029\ufeff\uffff', 'עברית', 'x'.repeat(31), 'x'.repeat(32), 'y'.repeat(300), 'z'.repeat(70_000),
  [], {}, [[]], [null], [[], [[], {}], ''], { '': '' }, { a: { b: { c: [1, { d: null }] } } }, upTo(15), upTo(16), upTo(1000),
  { 'key with spaces': 1, ключ: 'значение', '🔑': '🔒', '"': '\\', 1: 'one' },
  Object.fromEntries(upTo(20).map((i) => [`k${i}`, i])), { _placeholder: true, num: 0 }, { _placeholder: true, num: 'text' },
];

const BYTES = Buffer.from(upTo(256));
const deep = (n) => upTo(n).reduce((v) => [v], 'bottom');

suite('msgpack', (fixture) => {
  matrix('every value comes back as it was, alone and together', fixture, async (bench) => {
    const socket = await bench.connect(MSGPACK);
    const log = record(socket, 'message-back');
    for (const value of VALUES) socket.emit('message', value);
    socket.emit('message', ...VALUES);
    socket.emit('message', { all: VALUES });
    await log.count(VALUES.length + 2);
    VALUES.forEach((value, i) => assert.deepEqual(log.items[i], ['message-back', value]));
    assert.deepEqual(log.items[VALUES.length], ['message-back', ...VALUES]);
    assert.deepEqual(log.items[VALUES.length + 1], ['message-back', { all: VALUES }]);
    assert.deepEqual(await call(socket, 'message-with-ack', ...VALUES), VALUES);
    assert.deepEqual(await call(socket, 'describe', ...VALUES), VALUES);
  }, ONLY);

  matrix('binary data at any depth, both ways', fixture, async (bench) => {
    const socket = await bench.connect(MSGPACK);
    const log = record(socket, 'message-back');
    const sent = [
      [BYTES], [Buffer.alloc(0)], [Buffer.from([0]), 'text', Buffer.from([255])],
      [{ a: { b: [null, { c: BYTES }] }, d: 'x', e: Buffer.from('é') }],
      [[Buffer.from([1]), [Buffer.from([2]), [Buffer.from([3])]]]],
      [new Uint8Array([1, 2, 3]), new Uint8Array([9, 8, 7, 6]).buffer], [BYTES, BYTES, BYTES], [Buffer.alloc(70_000, 7)],
    ];
    for (const args of sent) socket.emit('message', ...args);
    await log.count(sent.length);
    sent.forEach((args, i) => assert.deepEqual(shape(log.items[i]), ['message-back', ...shape(args)]));
    for (const args of sent) {
      assert.deepEqual(await call(socket, 'describe', ...args), shape(args));
      assert.deepEqual(shape(await call(socket, 'message-with-ack', ...args)), shape(args));
    }
    const many = upTo(200).map((i) => Buffer.from([i, 255 - i]));
    assert.deepEqual(await call(socket, 'describe', many), [shape(many)]);
    const arrival = next(socket, 'binary');
    socket.emit('emit-binary', 100, 3);
    const [{ list }] = await arrival;
    assert.equal(list.length, 100);
    list.forEach((bytes, i) => assert.deepEqual([...bytes], [i, i, i]));
  }, ONLY);

  matrix('what JSON does not know: undefined, dates, and no numbers', fixture, async (bench) => {
    const socket = await bench.connect(MSGPACK);
    const date = new Date(1_234_567_890_123);
    const sent = [undefined, { a: undefined, b: 1 }, date, { at: date }, NaN, [Infinity, -Infinity]];
    assert.deepEqual(
      await call(socket, 'message-with-ack', ...sent),
      [null, { b: 1 }, date.toISOString(), { at: date.toISOString() }, null, [null, null]],
    );
  }, ONLY);

  matrix('nesting, up to the limit', fixture, async (bench) => {
    const socket = await bench.connect(MSGPACK);
    const value = deep(500);
    assert.deepEqual(await call(socket, 'message-with-ack', value), [value]);
    const end = disconnection(socket);
    socket.emit('message', deep(2000));
    await end;
  }, ONLY);

  matrix('any event name, any number of arguments', fixture, async (bench) => {
    const socket = await bench.connect(MSGPACK);
    for (const name of ['a', 'événement 🎉', '', ' ', '0', 'with"quote\\', 'n'.repeat(5000)]) {
      const arrival = next(socket, name);
      socket.emit('echo-as', name, 'value', [1]);
      assert.deepEqual(await arrival, ['value', [1]], name);
    }
    for (const n of [0, 1, 10, 1000]) assert.deepEqual(await call(socket, 'message-with-ack', ...upTo(n)), upTo(n));
  }, ONLY);

  matrix('acknowledgements both ways, with time-outs', fixture, async (bench) => {
    const socket = await bench.connect(MSGPACK);
    const answers = await Promise.all(upTo(300).map((i) => call(socket, 'message-with-ack', i, `${i}`)));
    answers.forEach((answer, i) => assert.deepEqual(answer, [i, `${i}`]));
    socket.on('emit-with-ack', (...got) => got.pop()({ got, mine: Buffer.from('answer') }));
    const result = next(socket, 'emit-with-ack-result');
    const args = [BYTES, { deep: [Buffer.from([7])] }, 'text'];
    socket.emit('emit-with-ack', ...args);
    assert.deepEqual(shape(await result), shape([{ got: args, mine: Buffer.from('answer') }]));
    const late = next(socket, 'emit-with-timeout-result');
    socket.emit('emit-with-timeout', 40, 'keep silent');
    assert.deepEqual(await late, ['timeout', null]);
    await assert.rejects(socket.timeout(30).emitWithAck('sleep-ack', 200, 'late'), /timed out/);
    assert.deepEqual(await call(socket, 'sleep-ack', 1, { v: 1 }), [{ v: 1 }]);
  }, ONLY);

  matrix('auth, and refusals with and without data', fixture, async (bench) => {
    const socket = bench.dial({ ...MSGPACK, auth: { token: 'ünï', n: [1, { x: null }] } });
    const auth = next(socket, 'auth');
    await connected(socket);
    assert.deepEqual(await auth, [{ token: 'ünï', n: [1, { x: null }] }]);
    let error = await refused(bench.dial({ ...MSGPACK, auth: { reject: 'go away', rejectData: { code: 1.5, list: [null] } } }));
    assert.equal(error.message, 'go away');
    assert.deepEqual(error.data, { code: 1.5, list: [null] });
    error = await refused(bench.dial({ ...MSGPACK, ns: '/admin' }));
    assert.equal(error.message, 'not authorized');
    assert.deepEqual(error.data, { code: 401, content: 'please retry later' });
    error = await refused(bench.dial({ ...MSGPACK, ns: '/plain-reject' }));
    assert.equal(error.message, 'no data here');
    error = await refused(bench.dial({ ...MSGPACK, ns: '/no-such' }));
    assert.equal(error.message, 'Invalid namespace');
    error = await refused(bench.dial({ ...MSGPACK, auth: { token: 'x'.repeat(70_000) } }));
    assert.equal(error.message, 'Auth payload too large');
  }, ONLY);

  matrix('namespaces on one connection, and leaving them', fixture, async (bench) => {
    const socket = await bench.connect(MSGPACK);
    const custom = bench.also(socket, '/custom');
    const slow = bench.also(socket, '/async');
    await Promise.all([connected(custom), connected(slow)]);
    assert.deepEqual(await call(custom, 'describe', { a: BYTES }), shape([{ a: BYTES }]));
    const { id } = custom;
    custom.disconnect();
    assert.equal(await reasonOf(slow, id), 'client namespace disconnect');
    const end = disconnection(slow);
    slow.emit('disconnect-me', false);
    assert.deepEqual((await end)[0], 'io server disconnect');
    assert.deepEqual(await call(socket, 'message-with-ack', 'goes on'), ['goes on']);
  }, ONLY);

  matrix('broadcasts to rooms, in order', fixture, async (bench) => {
    const room = unique('room');
    const [from, ...others] = await Promise.all(upTo(4).map(() => bench.connect(MSGPACK)));
    for (const s of others) assert.deepEqual(await call(s, 'join', room), [[room]]);
    const logs = others.map((s) => record(s, 'news'));
    for (const i of upTo(50)) from.emit('broadcast', { to: [room] }, 'news', i, { bytes: Buffer.from([i]) }, [-1 - i / 2]);
    for (const log of logs) {
      await log.count(50);
      log.items.forEach((item, i) => assert.deepEqual(shape(item), ['news', i, shape({ bytes: Buffer.from([i]) }), [-1 - i / 2]]));
    }
  }, ONLY);

  matrix('bursts, while the transport changes', fixture, async (bench) => {
    const socket = await bench.connect(MSGPACK);
    const log = record(socket, 'burst', 'burst-end');
    socket.emit('burst', 500, 50);
    await log.count(501);
    upTo(500).forEach((i) => assert.deepEqual(log.items[i], ['burst', i, 'x'.repeat(50)]));
    await settled(socket, bench.setting);
    const volatile = record(socket, 'vol-end');
    socket.emit('volatile-burst', 20, 10);
    await volatile.count(1);
  }, ONLY);

  // Messages that no parser makes: the connection ends, and the server and other clients continue.
  const { Encoder } = parser;
  const packet = (p) => Buffer.from(new Encoder().encode(p)[0]);
  const connect = packet({ type: 0, nsp: '/' });
  const bad = {
    'text of the default parser': '42["message"]',
    'an empty message': Buffer.alloc(0),
    'a number': Buffer.from([1]),
    'a packet that is cut off': packet({ type: 2, data: ['message', 'x'], nsp: '/' }).subarray(0, -3),
    'something behind the packet': Buffer.concat([packet({ type: 2, data: ['message'], nsp: '/' }), Buffer.from([0])]),
    'no type': packet({ data: ['message'], nsp: '/' }),
    'an unknown type': packet({ type: 5, data: ['message'], nsp: '/' }),
    'no namespace': packet({ type: 2, data: ['message'] }),
    'data that is no list': packet({ type: 2, data: { a: 1 }, nsp: '/' }),
    'an event without a name': packet({ type: 2, data: [], nsp: '/' }),
    'a reserved event': packet({ type: 2, data: ['disconnect'], nsp: '/' }),
    'an id that is no integer': packet({ type: 2, data: ['message'], id: 1.5, nsp: '/' }),
    'an array of four billion elements': Buffer.from('83a47479706502a36e7370a12fa464617461ddffffffff', 'hex'),
    'bytes and a placeholder that is none': packet({ type: 2, data: ['message', BYTES, { _placeholder: true, num: 0 }], nsp: '/' }),
    'too many binary values': packet({ type: 2, data: ['message', upTo(300).map(() => Buffer.from([1]))], nsp: '/' }),
    'binary data in the auth payload': packet({ type: 0, data: { a: BYTES }, nsp: '/custom' }),
  };
  for (const [what, message] of Object.entries(bad)) {
    test(`${what}`, async () => {
      const ws = new WebSocket(`${fixture.url('msgpack').replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
      const closed = within(new Promise((resolve) => ws.once('close', resolve)), 'the end of the connection');
      ws.on('error', () => {});
      await within(new Promise((resolve) => ws.once('open', resolve)), 'open');
      ws.send(connect);
      await within(new Promise((resolve) => ws.on('message', (data, binary) => binary && resolve())), 'CONNECT');
      ws.send(message);
      await closed;
    });
  }

  matrix('a client of the default parser does not get in, and others go on', fixture, async (bench) => {
    const socket = await bench.connect(MSGPACK);
    const stranger = bench.dial({ profile: 'msgpack' });
    const closed = next(stranger.io, 'close');
    await closed;
    assert.equal(stranger.connected, false);
    assert.deepEqual(await call(socket, 'message-with-ack', 'goes on'), ['goes on']);
  }, ONLY);
});
