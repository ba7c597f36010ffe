// Compression: permessage-deflate on WebSockets, gzip and deflate on polling.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { WebSocket } from 'ws';
import { Bench, SETTINGS, call, matrix, next, record, suite, within } from './harness/index.mjs';
import { PollingSession, RawConnection, RawWebSocket, request } from './harness/raw.mjs';

const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

const inflate = (data) =>
  zlib.inflateRawSync(Buffer.concat([data, TAIL]), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).toString();

const deflate = (text) => {
  const packed = zlib.deflateRawSync(text, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  return packed.subarray(0, packed.length - TAIL.length);
};

/** A client's frame with a mask of zeros. */
function frame(first, payload) {
  const data = Buffer.from(payload);
  const head = data.length < 126 ? [first, 0x80 | data.length] : [first, 0xfe, data.length >> 8, data.length & 0xff];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), data]).toString('latin1');
}

const TEXT = 0x81;
const PACKED = 0xc1;

/** The frames behind the head of an answer: {packed, code, text}. */
function frames(received) {
  let rest = Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1');
  const out = [];
  while (rest.length >= 2) {
    let at = 2;
    let size = rest[1];
    if (size === 126) [size, at] = [rest.length < 4 ? Infinity : rest.readUInt16BE(2), 4];
    if (rest.length < at + size) break;
    const data = rest.subarray(at, at + size);
    const packed = (rest[0] & 0x40) !== 0;
    const close = (rest[0] & 0x0f) === 8;
    out.push({ packed, code: close ? data.readUInt16BE(0) : 0, text: packed ? inflate(data) : data.toString() });
    rest = rest.subarray(at + size);
  }
  return out;
}

/** A WebSocket of which every byte is known, with the extensions offered. */
async function open(fixture, profile, ...offers) {
  const raw = await RawConnection.open(fixture, profile);
  raw.write(
    `GET ${fixture.path(profile)}?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n` +
      'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
      offers.map((o) => `Sec-WebSocket-Extensions: ${o}\r\n`).join('') +
      '\r\n',
  );
  await raw.until(/\r\n\r\n/);
  const [, answer] = /sec-websocket-extensions: (.*)\r\n/i.exec(raw.received) ?? [];
  const find = async (fits) => {
    await raw.chunks.until(() => frames(raw.received).some(fits), String(fits));
    return frames(raw.received).find(fits);
  };
  return { raw, answer, find };
}

const NO_TAKEOVER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const big = 'big '.repeat(500);

suite('compression', (fixture) => {
  test('what is answered to offers', async () => {
    for (const [profile, offers, answer] of [
      ['main', ['permessage-deflate'], undefined],
      ['opts', [], undefined],
      ['opts', ['x-other'], undefined],
      ['opts', ['permessage-deflate; client_max_window_bits'], NO_TAKEOVER],
      ['opts', ['permessage-deflate; server_max_window_bits=16'], undefined],
      ['opts', ['permessage-deflate; client_no_context_takeover; client_no_context_takeover'], undefined],
      ['opts', ['permessage-deflate; x, permessage-deflate; server_max_window_bits="10"'], `${NO_TAKEOVER}; server_max_window_bits=10`],
      ['opts', ['x-other', 'permessage-deflate'], NO_TAKEOVER],
    ]) {
      const ws = await open(fixture, profile, ...offers);
      assert.match(ws.raw.received, /^HTTP\/1\.1 101/);
      assert.equal(ws.answer, answer, offers.join());
      ws.raw.socket.destroy();
    }
    const broken = await open(fixture, 'opts', 'permessage-deflate;;');
    assert.match(broken.raw.received, /^HTTP\/1\.1 400/);
  });

  test('long messages leave compressed, short ones and those of compress(false) do not', async () => {
    const ws = await open(fixture, 'opts', 'permessage-deflate');
    ws.raw.write(frame(TEXT, '40'));
    await ws.find((f) => f.text.startsWith('40{'));
    ws.raw.write(frame(TEXT, `42["compressed",true,"on ${big}"]`));
    assert.equal((await ws.find((f) => f.text === `42["compressed","on ${big}"]`)).packed, true);
    ws.raw.write(frame(PACKED, deflate(`42["compressed",false,"off ${big}"]`)));
    assert.equal((await ws.find((f) => f.text === `42["compressed","off ${big}"]`)).packed, false);
    ws.raw.write(frame(PACKED, deflate('42["compressed",true,"short"]')));
    assert.equal((await ws.find((f) => f.text === '42["compressed","short"]')).packed, false);
    ws.raw.write(frame(TEXT, `42["broadcast",{"from":"nsp","compress":false},"b","1 ${big}"]`));
    assert.equal((await ws.find((f) => f.text === `42["b","1 ${big}"]`)).packed, false);
    ws.raw.write(frame(TEXT, `42["broadcast",{"from":"nsp"},"b","2 ${big}"]`));
    assert.equal((await ws.find((f) => f.text === `42["b","2 ${big}"]`)).packed, true);
    ws.raw.socket.destroy();
  });

  test('a window smaller than the message: it leaves as it is', async () => {
    const ws = await open(fixture, 'opts', 'permessage-deflate; server_max_window_bits=10');
    ws.raw.write(frame(TEXT, '40'));
    ws.raw.write(frame(TEXT, `42["compressed",true,"${big}"]`));
    assert.equal((await ws.find((f) => f.text === `42["compressed","${big}"]`)).packed, false);
    ws.raw.socket.destroy();
  });

  test('bombs, corrupt data and text that is none end that connection alone', async (t) => {
    const witness = await RawWebSocket.open(fixture, 'opts');
    t.after(() => witness.terminate());
    await witness.connect();
    for (const [data, code] of [
      [frame(PACKED, deflate(`4${'0'.repeat(50_000_000)}`)), 1009],
      [frame(PACKED, deflate(`4${'0'.repeat(10_000)}`)), 1009],
      [frame(PACKED, [0xff, 0xff]), 1007],
      [frame(PACKED, [0xf2, 0x00, 0x11, 0x00, 0x00]), 1007], // a distance into a context that was not negotiated
      [frame(PACKED, deflate(Buffer.from([0x34, 0xff]))), 1007],
      [frame(0xc9, [0x00]), 1002],
      [frame(0xc0, [0x00]), 1002],
      [frame(0xa1, [0x00]), 1002],
    ]) {
      const ws = await open(fixture, 'opts', 'permessage-deflate');
      ws.raw.write(data);
      assert.equal((await ws.find((f) => f.code > 0)).code, code);
      await ws.raw.end();
    }
    const plain = await open(fixture, 'main', 'permessage-deflate');
    plain.raw.write(frame(PACKED, deflate('40')));
    assert.equal((await plain.find((f) => f.code > 0)).code, 1002);
    witness.send('420["message-with-ack","alive"]');
    await witness.find('430["alive"]');
  });

  for (const perMessageDeflate of [
    true,
    { threshold: 0 },
    { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
    { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
    { threshold: 0, serverMaxWindowBits: 12 },
    { threshold: 0, clientMaxWindowBits: 10 },
    false,
  ]) {
    matrix(
      `the official client with perMessageDeflate ${JSON.stringify(perMessageDeflate)}`,
      fixture,
      async (bench) => {
        const socket = await bench.settle({ profile: 'opts', perMessageDeflate });
        const log = record(socket, 'message-back', 'compressed');
        for (const size of [1, 100, 1023, 1024, 1025, 5000, 9000]) {
          const text = 'abcdefgh'.repeat(size / 8 + 1).slice(0, size);
          assert.deepEqual(await call(socket, 'message-with-ack', text, Buffer.from(text)), [text, Buffer.from(text)]);
          const noise = randomBytes(size / 2);
          assert.deepEqual(await call(socket, 'message-with-ack', noise), [noise]);
        }
        for (const flag of [true, false]) socket.emit('compressed', flag, big);
        for (let i = 0; i < 50; i++) socket.emit('message', i, big);
        const all = await log.until((items) => items.length >= 52, 'all of them');
        assert.deepEqual(all.slice(0, 2), [['compressed', big], ['compressed', big]]);
        assert.deepEqual(all.slice(2), Array.from({ length: 50 }, (_, i) => ['message-back', i, big]));
      },
      { only: ['websocket', 'upgrade'] },
    );
  }

  test('a broadcast to clients of all kinds', async (t) => {
    const bench = new Bench(t, fixture, SETTINGS[1]);
    const poll = new Bench(t, fixture, SETTINGS[0]);
    const clients = [
      await bench.connect({ profile: 'opts', perMessageDeflate: {} }),
      await bench.connect({ profile: 'opts', perMessageDeflate: { serverMaxWindowBits: 9 } }),
      await bench.connect({ profile: 'opts', perMessageDeflate: false }),
      await poll.connect({ profile: 'opts', extraHeaders: { 'accept-encoding': 'identity' } }),
    ];
    const got = Promise.all(clients.map((c) => next(c, 'everybody')));
    clients[0].emit('broadcast', { from: 'nsp' }, 'everybody', big, Buffer.from(big));
    for (const args of await got) assert.deepEqual(args, [big, Buffer.from(big)]);
  });

  /** The answer to a GET that fetches one event, with its bytes. */
  async function fetched(session, accept, flag) {
    await session.post(`42["compressed",${flag},"${big}"]`);
    const headers = accept === undefined ? {} : { 'Accept-Encoding': accept };
    return within(
      fetch(session.url(), { headers: { ...headers, Connection: 'close' } }).then(async (res) => {
        assert.equal(res.status, 200);
        // fetch decodes the body and reports the coding.
        return { text: await res.text(), encoding: res.headers.get('content-encoding'), vary: res.headers.get('vary') ?? '' };
      }),
      'the answer',
    );
  }

  test('polling answers follow Accept-Encoding', async () => {
    for (const [accept, encoding] of [
      ['gzip', 'gzip'],
      ['gzip, deflate, br', 'gzip'],
      ['deflate', 'deflate'],
      ['gzip;q=0.5, deflate', 'deflate'],
      ['gzip;q=0, deflate;q=0', null],
      ['*', 'gzip'],
      ['identity', null],
      ['br', null],
    ]) {
      const session = await PollingSession.start(fixture, 'opts');
      await session.connect();
      const answer = await fetched(session, accept, true);
      assert.equal(answer.text, `42["compressed","${big}"]`);
      assert.equal(answer.encoding, encoding, accept);
      assert.match(answer.vary, /accept-encoding/i);
    }
  });

  test('polling answers of compress(false), short ones, and other profiles', async () => {
    const session = await PollingSession.start(fixture, 'opts');
    await session.connect();
    assert.equal((await fetched(session, 'gzip', false)).encoding, null);
    await session.post('42["compressed",true,"short"]');
    const short = await session.get({ headers: { 'Accept-Encoding': 'gzip' } });
    assert.equal(short.text, '42["compressed","short"]');
    assert.equal(short.headers['content-encoding'], undefined);
    // A payload is compressed if one of its events may be.
    await session.post(`42["compressed",false,"${big}"]\x1e42["compressed",true,"short"]`);
    const both = await request(session.url(), { headers: { 'Accept-Encoding': 'gzip' } });
    assert.equal(both.headers['content-encoding'], 'gzip');
    // Compression is on by default.
    const main = await PollingSession.start(fixture, 'main');
    await main.connect();
    assert.equal((await fetched(main, 'gzip', true)).encoding, 'gzip');
    assert.equal((await fetched(main, undefined, true)).text, `42["compressed","${big}"]`);
  });
});

suite(
  'compression of the plain echo',
  (fixture) => {
    for (const offer of [
      {},
      { serverNoContextTakeover: true },
      { clientNoContextTakeover: true },
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
      { serverMaxWindowBits: 8, clientMaxWindowBits: 9 },
      { serverMaxWindowBits: 9 },
      { serverMaxWindowBits: 10, serverNoContextTakeover: true },
      { serverMaxWindowBits: 15, clientMaxWindowBits: 15 },
      { clientMaxWindowBits: 9 },
    ]) {
      test(`every parameter: ${JSON.stringify(offer)}`, async (t) => {
        const ws = new WebSocket(`ws://127.0.0.1:${fixture.port()}/any`, { perMessageDeflate: { threshold: 0, ...offer } });
        t.after(() => ws.terminate());
        let answer;
        ws.once('upgrade', (res) => {
          answer = res.headers['sec-websocket-extensions'];
        });
        await next(ws, 'open');
        for (const [option, name] of [
          ['serverNoContextTakeover', 'server_no_context_takeover'],
          ['clientNoContextTakeover', 'client_no_context_takeover'],
          ['serverMaxWindowBits', 'server_max_window_bits'],
        ]) {
          assert.equal(answer.includes(name), option in offer, answer);
        }
        const noise = randomBytes(70_000);
        const words = 'one two three four five six seven '.repeat(3000);
        for (const message of ['', 'a', 'Hello', 'Hello', words, noise, noise, words + noise.toString('hex') + words, '']) {
          ws.send(message);
          const [data, binary] = await next(ws, 'message');
          assert.equal(binary, typeof message !== 'string');
          assert.ok(data.equals(Buffer.from(message)));
        }
      });
    }
  },
  { args: ['-ws-echo'] },
);

suite(
  'compression under attack',
  (fixture) => {
    test('many bombs at once, and the others are served', async (t) => {
      const bomb = frame(PACKED, deflate(`42["echo","${'0'.repeat(900_000)}"]`));
      const before = await RawWebSocket.open(fixture);
      t.after(() => before.terminate());
      await before.connect();
      const crowd = await Promise.all(Array.from({ length: 30 }, () => open(fixture, 'main', 'permessage-deflate')));
      for (const { answer, raw } of crowd) {
        assert.equal(answer, NO_TAKEOVER);
        raw.write(frame(TEXT, '40') + bomb.repeat(20) + frame(PACKED, deflate('0'.repeat(10_000_000))));
      }
      for (const { raw } of crowd) await raw.end();
      before.send('420["echo","alive"]');
      await before.find('430["alive"]');
    });
  },
  { args: ['-hard'] },
);
