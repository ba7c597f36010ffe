// Clients that break the Socket.IO protocol: only their own connection ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, SETTINGS, call, eventually, suite, upTo } from './harness/index.mjs';
import { PollingSession, RawWebSocket } from './harness/raw.mjs';

const PLACEHOLDER = '{"_placeholder":true,"num":0}';

/** Packets that end the connection of a client that is in the namespace "/". */
const FATAL = {
  'no packet type': ['4'],
  'unknown packet type': ['49'],
  'an event that is an object': ['42{"a":1}'],
  'an event that is an empty array': ['42[]'],
  'an event whose name is no string': ['42[null]'],
  'an event with cut JSON': ['42["open'],
  'an event with bytes behind its JSON': ['42["x"]]'],
  'a reserved event name': ['42["connect"]'],
  'another reserved event name': ['42["disconnecting"]'],
  'a CONNECT from a client that knows it is connected': ['42["unknown"]', '40'],
  'a CONNECT_ERROR from a client': ['44{"message":"x"}'],
  'an acknowledgement that is an object': ['430{"a":1}'],
  'an event for a namespace that was not joined': ['42/custom,["message"]'],
  'an event for an unknown namespace': ['42/nope,["message"]'],
  'a disconnect from a namespace that was not joined': ['41/custom,'],
  'an attachment without its event': [Buffer.from([1, 2, 3])],
  'text between attachments': [`451-["message",${PLACEHOLDER}]`, '42["message"]'],
  'a placeholder number out of range': ['451-["message",{"_placeholder":true,"num":7}]', Buffer.from([1])],
  'a placeholder number that is no number': ['451-["message",{"_placeholder":true,"num":"0"}]', Buffer.from([1])],
  'a negative placeholder number': ['451-["message",{"_placeholder":true,"num":-1}]', Buffer.from([1])],
  'far too many attachments': [`4599999999-["message",${PLACEHOLDER}]`],
  'a number of attachments that is none': [`45x-["message",${PLACEHOLDER}]`],
  'an acknowledgement id that is none': ['42x["message"]'],
};

suite('malformed', (fixture) => {
  const neighbour = (t) => new Bench(t, fixture, SETTINGS[0]).connect();

  for (const [what, packets] of Object.entries(FATAL)) {
    test(`${what} ends the connection [websocket]`, async (t) => {
      const other = await neighbour(t);
      const socket = await RawWebSocket.open(fixture);
      await socket.connect();
      packets.forEach((p) => socket.send(p));
      await socket.end();
      assert.ok(!socket.messages.items.some((m) => String(m).startsWith('42["message-back"')));
      assert.deepEqual(await call(other, 'message-with-ack', 'on'), ['on']);
    });

    test(`${what} ends the connection [polling]`, async (t) => {
      const other = await neighbour(t);
      const session = await PollingSession.start(fixture);
      await session.connect();
      await session.post(...packets.map((p) => (typeof p === 'string' ? p : `b${p.toString('base64')}`)));
      await eventually(async () => (await session.get()).status === 400, 'the end of the session');
      assert.deepEqual(await call(other, 'message-with-ack', 'on'), ['on']);
    });
  }

  test('an event before CONNECT ends the connection', async () => {
    for (const packet of ['42["message"]', '41', '430[]']) {
      const socket = await RawWebSocket.open(fixture);
      socket.send(packet);
      await socket.end();
    }
  });

  test('what comes late for a namespace that was left is ignored, and so are events without a payload', async () => {
    const socket = await RawWebSocket.open(fixture);
    await socket.connect();
    for (const packet of ['42', '421', '430', '41', '42["message"]', '430[]', '41']) socket.send(packet);
    socket.send('40');
    const connects = () => socket.messages.items.filter((m) => String(m).startsWith('40{')).length;
    await eventually(() => connects() === 2, 'the second CONNECT');
    socket.send('420["message-with-ack","fence"]');
    await eventually(() => socket.messages.items.includes('430["fence"]'), 'the answer');
  });

  test('input of extreme shape neither ends the server nor hangs anybody', async (t) => {
    const other = await neighbour(t);
    for (const json of [
      '['.repeat(100_000), `${'['.repeat(100_000)}${']'.repeat(100_000)}`, `{"a":`.repeat(50_000), '9'.repeat(400),
      `"${'\\ud800'.repeat(1000)}"`, '{"a":1,"a":2,"__proto__":{"b":1}}', `"${'\\u0000'.repeat(10_000)}"`,
      `[${'1,'.repeat(200_000)}1]`, '1e999999', '"\\x"', '"\x01"',
    ]) {
      const socket = await RawWebSocket.open(fixture);
      await socket.connect();
      socket.send(`42["message",${json}]`);
      socket.send('420["message-with-ack","fence"]');
      await eventually(() => socket.isClosed || socket.messages.items.includes('430["fence"]'), 'an answer or the end');
      socket.terminate();
      assert.deepEqual(await call(other, 'message-with-ack', 'on'), ['on']);
    }
  });

  test('WebSocket frames that are none end the connection', async (t) => {
    const other = await neighbour(t);
    for (const bytes of [
      [0x81, 0x02, 0x34, 0x30], // a client must mask
      [0x83, 0x80, 0, 0, 0, 0], // a reserved opcode
      [0xc1, 0x80, 0, 0, 0, 0], // a reserved bit
      [0x80, 0x80, 0, 0, 0, 0], // a continuation of nothing
      [0x89, 0xfe, 0x00, 0x7e, 0, 0, 0, 0], // a long control frame
      [0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], // no UTF-8
      [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], // an endless message
    ]) {
      const socket = await RawWebSocket.open(fixture);
      await socket.connect();
      socket.socket._socket.write(Buffer.from(bytes));
      await socket.end();
    }
    assert.deepEqual(await call(other, 'message-with-ack', 'on'), ['on']);
  });

  test('many broken clients at once do not disturb one another', async (t) => {
    const other = await neighbour(t);
    await Promise.all(upTo(40).map(async (i) => {
      const socket = await RawWebSocket.open(fixture);
      await socket.connect();
      socket.send(i % 2 ? '42["x' : Buffer.from([1]));
      await socket.end();
    }));
    assert.deepEqual(await call(other, 'message-with-ack', 'on'), ['on']);
  });
}, { concurrency: 4 });
