// Events and acknowledgements, text and binary, in both directions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, eventually, matrix, next, record, shape, suite, upTo } from './harness/index.mjs';
import { RawWebSocket } from './harness/raw.mjs';

/** Every kind of JSON value a program may send. */
const VALUES = [
  null, true, false, 0, -1, 1.5, -2.25e-7, 1e21, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER,
  '', ' ', 'plain', '"quoted" \\ back/slash', 'null', '0', '[', '{"a":', 'line\nbreak\ttab\r\0nul\x1erecord\x1funit\x7f',
  'ünïcödé', '日本語', '👩‍👩‍👧‍👦 family', '\u2028\u2029\ufeff\uffff', 'עברית', 'e\u0301', '<script>&amp;</script>',
  '12345678901234567890', '0.1000000000000000055511151231257827021181583404541015625',
  [], {}, [[]], [null], [[], [[], {}], ''], { '': '' }, { a: { b: { c: [1, { d: null }] } } },
  { 'key with spaces': 1, ключ: 'значение', '🔑': '🔒', '"': '\\' }, JSON.parse('{"__proto__":1,"constructor":2}'),
  upTo(1000), { _placeholder: false, num: 'text' },
];

const BYTES = Buffer.from(upTo(256));

suite('events', (fixture) => {
  matrix('every JSON value comes back as it was, alone and together', fixture, async (bench) => {
    const socket = await bench.connect();
    const log = record(socket, 'message-back');
    for (const value of VALUES) socket.emit('message', value);
    socket.emit('message', ...VALUES);
    socket.emit('message', { all: VALUES });
    await log.count(VALUES.length + 2);
    VALUES.forEach((value, i) => assert.deepEqual(log.items[i], ['message-back', value]));
    assert.deepEqual(log.items[VALUES.length], ['message-back', ...VALUES]);
    assert.deepEqual(log.items[VALUES.length + 1], ['message-back', { all: VALUES }]);
  });

  matrix('any number of arguments', fixture, async (bench) => {
    const socket = await bench.connect();
    const log = record(socket, 'message-back');
    const counts = [0, 1, 2, 10, 100, 1000];
    for (const n of counts) socket.emit('message', ...upTo(n));
    await log.count(counts.length);
    counts.forEach((n, i) => assert.deepEqual(log.items[i], ['message-back', ...upTo(n)]));
  });

  matrix('any event name', fixture, async (bench) => {
    const socket = await bench.connect();
    for (const name of ['a', 'événement 🎉', '', ' ', '0', 'with"quote\\', 'toString', '__proto__x', 'n'.repeat(5000)]) {
      const arrival = next(socket, name);
      socket.emit('echo-as', name, 'value', [1]);
      assert.deepEqual(await arrival, ['value', [1]], name);
    }
  });

  matrix('numbers as event names', fixture, async (bench) => {
    const socket = await bench.connect();
    const arrival = next(socket, 'done');
    socket.emit(42, 'nobody listens');
    socket.emit('echo-as', 'done', 1);
    assert.deepEqual(await arrival, [1]);
  });

  matrix('send() is the event "message"', fixture, async (bench) => {
    const socket = await bench.connect();
    const arrival = next(socket, 'message-back');
    socket.send('x', { y: 1 });
    assert.deepEqual(await arrival, ['x', { y: 1 }]);
  });

  matrix('acknowledgements with any arguments, many under way at once', fixture, async (bench) => {
    const socket = await bench.connect();
    assert.deepEqual(await call(socket, 'message-with-ack'), []);
    assert.deepEqual(await call(socket, 'message-with-ack', ...VALUES), VALUES);
    const answers = await Promise.all(upTo(500).map((i) => call(socket, 'message-with-ack', i, `${i}`)));
    answers.forEach((answer, i) => assert.deepEqual(answer, [i, `${i}`]));
  });

  matrix('emitWithAck of the client', fixture, async (bench) => {
    const socket = await bench.connect();
    assert.equal(await socket.timeout(20_000).emitWithAck('message-with-ack', 'a', 'b'), 'a');
  });

  matrix('an event that wants no acknowledgement gets none', fixture, async (bench) => {
    const socket = await bench.connect();
    const acks = [];
    socket.io.on('packet', (packet) => packet.type === 3 && acks.push(packet.id));
    socket.emit('message-with-ack', 'nobody asks');
    socket.emit('join', 'some-room');
    await call(socket, 'message-with-ack', 'fence');
    assert.equal(acks.length, 1);
  });

  matrix('the second acknowledgement of an event has no effect', fixture, async (bench) => {
    const socket = await bench.connect();
    const answers = [];
    socket.emit('double-ack', (value) => answers.push(value));
    await call(socket, 'message-with-ack', 'fence');
    await eventually(() => answers.length > 0, 'the acknowledgement');
    await call(socket, 'message-with-ack', 'second fence');
    assert.deepEqual(answers, [1]);
  });

  matrix('acknowledgements may overtake one another', fixture, async (bench) => {
    const socket = await bench.connect();
    const order = [];
    await Promise.all(
      [[400, 'slow'], [0, 'fast']].map(async ([ms, name]) => order.push(...(await call(socket, 'sleep-ack', ms, name)))),
    );
    assert.deepEqual(order, ['fast', 'slow']);
  });

  matrix("the client's time-out, and an answer that comes too late", fixture, async (bench) => {
    const socket = await bench.connect();
    const unknown = [];
    socket.io.on('packet', (packet) => packet.type === 3 && unknown.push(packet.data[0]));
    await assert.rejects(socket.timeout(30).emitWithAck('sleep-ack', 200, 'late'), /timed out/);
    await eventually(() => unknown.includes('late'), 'the late answer');
    assert.deepEqual(await call(socket, 'message-with-ack', 'goes on'), ['goes on']);
  });

  matrix('an event without a handler is not answered and does no harm', fixture, async (bench) => {
    const socket = await bench.connect();
    let answered = false;
    socket.emit('no-such-event', { a: 1 }, Buffer.from([1]), () => {
      answered = true;
    });
    socket.emit('no-such-event');
    await call(socket, 'message-with-ack', 'fence');
    assert.equal(answered, false);
  });

  matrix('the server emits and gets the answer of the client', fixture, async (bench) => {
    const socket = await bench.connect();
    const questions = record(socket, 'emit-with-ack');
    socket.on('emit-with-ack', (...args) => args.pop()(...args, 'and', { more: [1] }));
    for (const args of [[], ['one'], VALUES]) {
      const result = next(socket, 'emit-with-ack-result');
      socket.emit('emit-with-ack', ...args);
      assert.deepEqual(await result, [...args, 'and', { more: [1] }]);
    }
    assert.equal(questions.length, 3);
  });

  matrix('an empty answer, and answers in another order than the questions', fixture, async (bench) => {
    const socket = await bench.connect();
    const held = [];
    socket.on('emit-with-ack', (n, answer) => {
      held.push(() => (n === 0 ? answer() : answer(n)));
      if (held.length === 5) held.reverse().forEach((fn) => fn());
    });
    const results = record(socket, 'emit-with-ack-result');
    for (const n of upTo(5)) socket.emit('emit-with-ack', n);
    await results.count(5);
    const values = results.items.map(([, ...args]) => args).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
    assert.deepEqual(values, [[], [1], [2], [3], [4]]);
  });

  matrix('the time-out of the server, an answer in time and one too late', fixture, async (bench) => {
    const socket = await bench.connect();
    let late;
    socket.on('emit-with-timeout', (mode, ...rest) => {
      const answer = rest.pop();
      if (mode === 'answer') answer('mine', 'ignored');
      else late = answer;
    });
    let result = next(socket, 'emit-with-timeout-result');
    socket.emit('emit-with-timeout', 20_000, 'answer');
    assert.deepEqual(await result, ['ok', 'mine']);
    result = next(socket, 'emit-with-timeout-result');
    socket.emit('emit-with-timeout', 40, 'keep silent');
    assert.deepEqual(await result, ['timeout', null]);
    late('much later');
    assert.deepEqual(await call(socket, 'message-with-ack', 'goes on'), ['goes on']);
  });

  matrix('a client that leaves while it owes an answer', fixture, async (bench) => {
    const quiet = await bench.connect();
    const asked = next(quiet, 'emit-with-ack');
    quiet.emit('emit-with-ack', 'question');
    await asked;
    const other = await bench.connect();
    const { id } = quiet;
    quiet.disconnect();
    assert.ok(await eventually(async () => (await call(other, 'reason', id))[0], 'the end of the socket'));
  });

  matrix('binary arguments in events, at any depth, both ways', fixture, async (bench) => {
    const socket = await bench.connect();
    const log = record(socket, 'message-back');
    const sent = [
      [BYTES],
      [Buffer.alloc(0)],
      [Buffer.from([0]), 'text', Buffer.from([255])],
      [{ a: { b: [null, { c: BYTES }] }, d: 'x', e: Buffer.from('é') }],
      [[Buffer.from([1]), [Buffer.from([2]), [Buffer.from([3])]]]],
      [new Uint8Array([1, 2, 3]), new Uint8Array([9, 8, 7, 6]).buffer, new Uint8Array(upTo(20)).subarray(5, 9)],
      ['no binary'],
      [BYTES, BYTES, BYTES],
    ];
    for (const args of sent) socket.emit('message', ...args);
    await log.count(sent.length);
    sent.forEach((args, i) => assert.deepEqual(shape(log.items[i]), ['message-back', ...shape(args)]));
    // The arguments as the server saw them, as text.
    for (const args of sent) assert.deepEqual(await call(socket, 'describe', ...args), shape(args));
  });

  matrix('binary in acknowledgements, both ways', fixture, async (bench) => {
    const socket = await bench.connect();
    const args = [BYTES, { deep: [Buffer.from([7])] }, 'text', Buffer.alloc(0)];
    assert.deepEqual(shape(await call(socket, 'message-with-ack', ...args)), shape(args));
    socket.on('emit-with-ack', (...got) => got.pop()({ got, mine: Buffer.from('answer') }));
    const result = next(socket, 'emit-with-ack-result');
    socket.emit('emit-with-ack', ...args);
    assert.deepEqual(shape(await result), shape([{ got: args, mine: Buffer.from('answer') }]));
    assert.deepEqual(await call(socket, 'describe', ...args), shape(args));
  });

  matrix('a big binary message', fixture, async (bench) => {
    const socket = await bench.connect();
    const big = Buffer.alloc(500_000, 'abcdefghij\0\xff\x1e');
    const [back] = await call(socket, 'message-with-ack', big);
    assert.ok(Buffer.from(back).equals(big));
    const arrival = next(socket, 'message-back');
    socket.emit('message', { big }, 'tail');
    const [{ big: again }, tail] = await arrival;
    assert.ok(Buffer.from(again).equals(big));
    assert.equal(tail, 'tail');
  });

  matrix('a big text message', fixture, async (bench) => {
    const socket = await bench.connect();
    const big = 'ä€😀'.repeat(50_000);
    const [back] = await call(socket, 'message-with-ack', big);
    assert.ok(back === big);
  });

  matrix('many small binary messages, and many attachments in one', fixture, async (bench) => {
    const socket = await bench.connect();
    const log = record(socket, 'message-back');
    for (const i of upTo(500)) socket.emit('message', i, Buffer.from([i & 255, i >> 8]));
    await log.count(500);
    log.items.forEach(([, n, bytes], i) => {
      assert.equal(n, i);
      assert.deepEqual([...bytes], [i & 255, i >> 8]);
    });
    const many = upTo(200).map((i) => Buffer.from([i, 255 - i]));
    assert.deepEqual(await call(socket, 'describe', many), [shape(many)]);
    // The client accepts at most ten in one packet.
    const arrival = next(socket, 'binary');
    socket.emit('emit-binary', 10, 3);
    const [{ list }] = await arrival;
    assert.equal(list.length, 10);
    list.forEach((bytes, i) => assert.deepEqual([...bytes], [i, i, i]));
  });

  matrix('the server emits big and empty buffers', fixture, async (bench) => {
    const socket = await bench.connect();
    for (const [count, size] of [[1, 400_000], [0, 10], [3, 0], [2, 1]]) {
      const arrival = next(socket, 'binary');
      socket.emit('emit-binary', count, size);
      const [{ list }] = await arrival;
      assert.deepEqual(list.map((b) => b.length), upTo(count).map(() => size));
      list.forEach((b, i) => assert.ok(Buffer.from(b).every((v) => v === i)));
    }
  });

  matrix('binary through a namespace of its own', fixture, async (bench) => {
    const socket = await bench.connect({ ns: '/custom' });
    const args = [{ a: BYTES }, Buffer.from('z')];
    assert.deepEqual(await call(socket, 'describe', ...args), shape(args));
    assert.deepEqual(shape(await call(socket, 'message-with-ack', ...args)), shape(args));
  });

  matrix('packet middleware that fails an event does not hang the client', fixture, async (bench) => {
    const socket = await bench.connect();
    const errors = record(socket, 'mw-error');
    socket.emit('mw-reject', 1);
    socket.emit('mw-reject', Buffer.from([1]));
    await errors.count(2);
    assert.deepEqual(errors.items[0], ['mw-error', 'rejected by packet middleware']);
    assert.deepEqual(await call(socket, 'message-with-ack', 'goes on'), ['goes on']);
  });

  matrix('arguments that no handler expects', fixture, async (bench) => {
    const socket = await bench.connect();
    const odd = [[], [null], [{}], [[]], [-1], ['x'], [true, true], [Buffer.from([1])], [{ to: 1 }, 2], [[null]]];
    for (const event of [
      'describe', 'sleep-ack', 'emit-with-timeout', 'join', 'leave', 'rooms', 'burst-x', 'handshake', 'reason',
      'set-data', 'get-data', 'id', 'transport', 'recovered',
    ]) {
      for (const args of odd) socket.emit(event, ...args);
    }
    assert.deepEqual(await call(socket, 'message-with-ack', 'goes on'), ['goes on']);
  });

  matrix('catch-all listeners see every event', fixture, async (bench) => {
    const socket = await bench.connect();
    socket.emit('message', 1);
    socket.emit('no-such-event');
    socket.emit('mw-reject');
    await next(socket, 'mw-error');
    const [incoming, outgoing] = await call(socket, 'any-log');
    assert.deepEqual(incoming, ['message', 'no-such-event', 'mw-reject', 'any-log']);
    assert.deepEqual(outgoing, ['auth', 'message-back', 'mw-error']);
  });

  matrix('volatile events come in order or not at all, ordinary ones always', fixture, async (bench) => {
    const socket = await bench.settle();
    for (const n of [1, 50, 500]) {
      const log = record(socket, 'vol', 'vol-end');
      socket.emit('volatile-burst', n, 100);
      await log.until((items) => items.some(([name]) => name === 'vol-end'), 'vol-end');
      socket.off('vol').off('vol-end');
      const numbers = log.items.filter(([name]) => name === 'vol').map(([, i]) => i);
      numbers.forEach((v, i) => assert.ok(v >= 0 && v < n && (i === 0 || v > numbers[i - 1]), `${v} at ${i}`));
      assert.deepEqual(log.items.at(-1), ['vol-end', n]);
    }
  });

  matrix('a volatile event reaches a WebSocket that has nothing else to take', fixture, async (bench) => {
    const socket = await bench.settle();
    const log = record(socket, 'vol', 'vol-end');
    for (const n of upTo(20)) {
      socket.emit('volatile-burst', 1, 10);
      await log.count(2 * (n + 1));
      await call(socket, 'message-with-ack', 'fence');
    }
    assert.equal(log.items.filter(([name]) => name === 'vol').length, 20);
  }, { only: ['websocket', 'upgrade', 'websocket first'] });

  matrix("the client's volatile emits", fixture, async (bench) => {
    const socket = await bench.settle();
    const log = record(socket, 'message-back');
    for (const i of upTo(20)) socket.volatile.emit('message', i);
    await call(socket, 'message-with-ack', 'fence');
    const numbers = log.items.map(([, i]) => i);
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  });

  test('ack ids of any size a client may use', async () => {
    const socket = await RawWebSocket.open(fixture);
    await socket.connect();
    for (const id of ['0', '7', '4294967296', '9007199254740991']) {
      socket.send(`42${id}["message-with-ack","x"]`);
      await socket.find(`43${id}["x"]`);
    }
    socket.terminate();
  });

  test('an acknowledgement that nobody waits for is ignored', async () => {
    const socket = await RawWebSocket.open(fixture);
    await socket.connect();
    socket.send('43999["x"]');
    socket.send('430[]');
    socket.send('43[]');
    socket.send('420["message-with-ack","x"]');
    await socket.find('430["x"]');
    socket.terminate();
  });
});
