// What HTTP clients and browsers see: statuses, bodies, headers, limits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, SETTINGS, call, matrix, record, suite, upTo } from './harness/index.mjs';
import { PollingSession, RawConnection, RawWebSocket, endpoint, request } from './harness/raw.mjs';

const ERRORS = [
  'Transport unknown', 'Session ID unknown', 'Bad handshake method', 'Bad request', 'Forbidden',
  'Unsupported protocol version',
];

function assertError(answer, code, message = ERRORS[code], status = code === 4 ? 403 : 400) {
  assert.equal(answer.status, status);
  assert.match(answer.headers['content-type'], /^application\/json/);
  assert.deepEqual(answer.json(), { code, message });
}

suite('http', (fixture) => {
  const at = (profile, query) => endpoint(fixture, profile, query);

  /** The answer to a handshake that succeeds. */
  async function handshake(profile, headers) {
    const answer = await request(at(profile, { transport: 'polling' }), { headers });
    assert.equal(answer.status, 200);
    answer.session = new PollingSession(fixture, profile, JSON.parse(answer.text.slice(1)));
    return answer;
  }

  test('an unknown transport', async () => {
    for (const transport of ['carrier-pigeon', '', '__proto__', 'POLLING', 'polling,websocket']) {
      assertError(await request(at('main', { transport })), 0);
    }
    assertError(await request(at('main', {})), 0);
    const { sid } = await PollingSession.start(fixture);
    assertError(await request(at('main', { transport: 'x', sid })), 0);
  });

  test('an unknown sid', async () => {
    const { sid } = await PollingSession.start(fixture);
    for (const wrong of ['x', '__proto__', 'A'.repeat(24), `${sid}A`, sid.slice(0, -1), 'x'.repeat(1000)]) {
      assertError(await request(at('main', { transport: 'polling', sid: wrong })), 1);
      const post = await request(at('main', { transport: 'polling', sid: wrong }), { method: 'POST', body: '40' });
      assertError(post, 1);
    }
    // The sid of another server's session is unknown here.
    assertError(await request(at('fast', { transport: 'polling', sid })), 1);
  });

  test('a handshake with another method than GET', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const answer = await request(at('main', { transport: 'polling' }), { method, body: 'x' });
      assertError(answer, 2);
    }
  });

  test('a plain GET with transport=websocket, with and without a session', async () => {
    assertError(await request(at('main', { transport: 'websocket' })), 3);
    const { sid } = await PollingSession.start(fixture);
    assertError(await request(at('main', { transport: 'websocket', sid })), 3);
  });

  test('a protocol version that is not offered', async () => {
    for (const EIO of ['3', '2', '5', '', '4.0', 'x']) {
      assertError(await request(at('fast', { transport: 'polling', EIO })), 5);
    }
    await assert.rejects(RawWebSocket.open(fixture, 'fast', { query: { EIO: '3' } }), /status 400/);
  });

  test('methods a session does not know', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      assert.equal((await request(session.url(), { method, body: 'x' })).status, 405, method);
    }
    await session.post('420["message-with-ack","on"]');
    await session.until((p) => p === '430["on"]');
  });

  test('a second GET ends the session, the first one is told', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    await session.post('420["message-with-ack",1]');
    await session.until((p) => p === '430[1]');
    const [a, b] = await Promise.all([session.get(), session.get()]);
    const [told, bad] = a.status === 200 ? [a, b] : [b, a];
    assert.deepEqual([told.status, told.text], [200, '1']);
    assertError(bad, 3);
    assertError(await session.get(), 1);
  });

  test('a second POST while one is being sent ends the session', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    const slow = await RawConnection.open(fixture);
    const target = session.url().replace(/^http:\/\/[^/]+/, '');
    slow.write(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n42[`);
    // Nothing shows when the slow POST's head has arrived: a request behind it would wait too. So post until a POST is
    // refused as the second one.
    let answer;
    do {
      answer = await session.post('42["no-such-event"]');
      assert.ok([200, 400].includes(answer.status));
    } while (answer.status === 200);
    assertError(await session.get(), 1);
    slow.socket.destroy();
  });

  test('a POST of binary type is refused', async () => {
    const session = await PollingSession.start(fixture);
    const answer = await request(session.url(), {
      method: 'POST', headers: { 'Content-Type': 'application/octet-stream' }, body: Buffer.from([0, 1, 255, 52]),
    });
    assertError(answer, 3);
    assertError(await session.get(), 1);
  });

  test('answers of a polling session', async () => {
    const { headers, session } = await handshake('main');
    assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
    const posted = await session.post('40');
    assert.equal(posted.status, 200);
    assert.equal(posted.text, 'ok');
    const answer = await session.get();
    assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.match(answer.text, /^40\{"sid":"[\w-]+"\}/);
  });

  test('batches and base64', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    await session.post('451-0["describe",{"_placeholder":true,"num":0}]', 'bAQID', '42["message","tail"]');
    const [, all] = await session.until((p) => p === '42["message-back","tail"]');
    assert.ok(all.includes('430[{"$bin":"010203"}]'), all.join(' '));
    await session.post('451-["message",{"_placeholder":true,"num":0}]', 'b/+8=');
    await session.until((p) => p === '451-["message-back",{"_placeholder":true,"num":0}]');
  });

  test('a close packet by POST: the waiting GET gets a noop', async () => {
    const session = await PollingSession.start(fixture);
    await session.connect();
    await session.post('420["message-with-ack",1]');
    await session.until((p) => p === '430[1]');
    const waiting = session.get();
    // In one payload: packets before the close packet are still handled.
    await session.post('42["no-such-event"]');
    const posted = await session.post('1');
    assert.deepEqual([posted.status, posted.text], [200, 'ok']);
    const got = await waiting;
    assert.deepEqual([got.status, got.text], [200, '6']);
  });

  test('CORS with one allowed origin', async () => {
    const [good, bad] = ['http://allowed.example', 'http://evil.example'];
    const ask = (Origin) => [handshake('main', { Origin }), request(at('main', {}), { headers: { Origin } })];
    for (const answer of ask(good)) {
      const allowed = await answer;
      assert.equal(allowed.headers['access-control-allow-origin'], good);
      assert.equal(allowed.headers['access-control-allow-credentials'], 'true');
      assert.match(allowed.headers.vary, /\borigin\b/i);
    }
    for (const answer of ask(bad)) {
      const refused = await answer;
      assert.equal(refused.headers['access-control-allow-origin'], undefined);
      assert.match(refused.headers.vary, /\borigin\b/i);
    }
    const session = await PollingSession.start(fixture, 'main', { Origin: good });
    for (const options of [{ method: 'POST', body: '40' }, {}]) {
      const answer = await request(session.url(), { ...options, headers: { Origin: good } });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['access-control-allow-origin'], good);
    }
  });

  test('CORS for everybody', async () => {
    for (const headers of [{ Origin: 'http://any.example' }, {}]) {
      const answer = await handshake('fast', headers);
      assert.equal(answer.headers['access-control-allow-origin'], '*');
      assert.equal(answer.headers['access-control-allow-credentials'], undefined);
    }
    const error = await request(at('fast', { transport: 'polling', sid: 'x' }));
    assertError(error, 1);
    assert.equal(error.headers['access-control-allow-origin'], '*');
  });

  test('preflight requests need no session', async () => {
    for (const query of [{ transport: 'polling' }, { transport: 'polling', sid: 'unknown' }]) {
      const main = await request(at('main', query), {
        method: 'OPTIONS',
        headers: {
          Origin: 'http://allowed.example',
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'x-custom, content-type',
        },
      });
      assert.equal(main.status, 204);
      assert.equal(main.text, '');
      assert.equal(main.headers['access-control-allow-origin'], 'http://allowed.example');
      assert.equal(main.headers['access-control-allow-credentials'], 'true');
      assert.equal(main.headers['access-control-allow-methods'], 'GET,POST');
      assert.equal(main.headers['access-control-allow-headers'], 'x-custom, content-type');
    }
    const fast = await request(at('fast', { transport: 'polling' }), {
      method: 'OPTIONS', headers: { Origin: 'http://x.example', 'Access-Control-Request-Method': 'POST' },
    });
    assert.equal(fast.status, 204);
    assert.equal(fast.headers['access-control-allow-origin'], '*');
    assert.equal(fast.headers['access-control-allow-methods'], 'GET,HEAD,PUT,PATCH,POST,DELETE');
  });

  test('the cookie, where it is on, and nowhere else', async () => {
    const answer = await handshake('opts');
    const { session } = answer;
    assert.deepEqual(answer.headers['set-cookie'], [`io=${session.sid}; Path=/; HttpOnly; SameSite=Lax`]);
    const posted = await session.post('40');
    assert.equal(posted.headers['set-cookie'], undefined);
    const socket = await RawWebSocket.open(fixture, 'opts');
    const open = JSON.parse((await socket.find((m) => m[0] === '0')).slice(1));
    assert.deepEqual(socket.headers['set-cookie'], [`io=${open.sid}; Path=/; HttpOnly; SameSite=Lax`]);
    socket.terminate();
    for (const profile of ['main', 'fast']) {
      assert.equal((await handshake(profile)).headers['set-cookie'], undefined);
      const plain = await RawWebSocket.open(fixture, profile);
      assert.equal(plain.headers['set-cookie'], undefined);
      assert.equal(plain.headers['sec-websocket-extensions'], undefined);
      plain.terminate();
    }
  });

  test('maxPayload of a POST: the last byte that fits, and one more', async () => {
    const { open } = await PollingSession.start(fixture, 'opts');
    assert.equal(open.maxPayload, 10_000);
    for (const [size, fits] of [[10_000, true], [10_001, false], [1_000_000, false]]) {
      const session = await PollingSession.start(fixture, 'opts');
      await session.connect();
      const packet = `42["message","${'x'.repeat(size - 16)}"]`;
      assert.equal(packet.length, size);
      if (fits) {
        assert.equal((await session.post(packet)).text, 'ok');
        // A single message above the limit is still sent.
        await session.until((p) => p.startsWith('42["message-back"'));
        continue;
      }
      const answer = await session.post(packet).catch((err) => ({ status: err.code }));
      assert.ok([413, 'ECONNRESET', 'EPIPE'].includes(answer.status), String(answer.status));
    }
  });

  test('maxPayload of a WebSocket message: the last byte that fits, and one more', async () => {
    const event = (size) => `42["no-such-event","${'x'.repeat(size - 22)}"]`;
    assert.equal(event(10_000).length, 10_000);
    const socket = await RawWebSocket.open(fixture, 'opts');
    await socket.connect();
    socket.send(event(10_000));
    socket.send('420["message-with-ack","on"]');
    await socket.find('430["on"]');
    socket.send(event(10_001));
    assert.equal(await socket.end(), 1009);
  });

  matrix('a client splits its batches by maxPayload', fixture, async (bench) => {
    const socket = await bench.connect({ profile: 'opts' });
    const log = record(socket, 'message-back');
    for (const i of upTo(60)) socket.emit('message', i, 'x'.repeat(1000));
    await log.count(60);
    assert.deepEqual(log.items.map(([, i]) => i), upTo(60));
  });

  test('allowRequest', async () => {
    for (const [value, message] of [['default', 'Forbidden'], ['because I say so', 'because I say so']]) {
      const answer = await request(at('opts', { transport: 'polling' }), { headers: { 'X-Reject': value } });
      assertError(answer, 4, message);
      await assert.rejects(RawWebSocket.open(fixture, 'opts', { headers: { 'X-Reject': value } }), /status 403/);
    }
    // allowRequest is called for handshakes only.
    const session = await PollingSession.start(fixture, 'opts');
    const answer = await request(session.url(), { method: 'POST', headers: { 'X-Reject': 'default' }, body: '40' });
    assert.equal(answer.text, 'ok');
  });

  test('the path with and without a trailing slash, 404 elsewhere', async () => {
    const query = '?EIO=4&transport=polling';
    for (const [profile, path, status] of [
      ['main', '/socket.io/', 200], ['main', '/socket.io', 200], ['opts', '/custom-path/', 200],
      ['opts', '/custom-path', 200], ['main', '/', 404], ['main', '/socket.iox', 404], ['main', '/socket.io/x', 404],
      ['main', '/engine.io/', 404], ['main', '/Socket.io/', 404], ['main', '/x/socket.io/', 404],
      ['main', '/custom-path/', 404], ['opts', '/socket.io/', 404], ['main', '/socket.io//', 404],
    ]) {
      const answer = await request(`${fixture.url(profile)}${path}${query}`);
      assert.equal(answer.status, status, path);
      if (status === 200) new PollingSession(fixture, profile, JSON.parse(answer.text.slice(1)));
    }
    await assert.rejects(
      RawWebSocket.open({ port: () => fixture.port(), path: () => '/elsewhere/' }, 'main'),
      /status 404/,
    );
  });

  test('kept-alive and pipelined requests on one connection', async () => {
    const session = await PollingSession.start(fixture);
    const target = session.url().replace(/^http:\/\/[^/]+/, '');
    const raw = await RawConnection.open(fixture);
    const post = (body) => `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const get = `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
    raw.write(post('40') + get);
    await raw.until(/40\{"sid"/);
    raw.write(post('420["message-with-ack","p"]') + get);
    await raw.until(/430\["p"\]/);
    assert.equal(raw.received.match(/HTTP\/1\.1 200/g).length, 4);
    raw.socket.destroy();
  });

  test('a request that is no HTTP is refused', async () => {
    for (const text of ['NONSENSE\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n']) {
      const raw = await RawConnection.open(fixture);
      raw.write(text);
      await raw.until(/^HTTP\/1\.1 400/);
      await raw.end();
    }
  });

  test('invalid payloads end the session and nothing else', async (t) => {
    const neighbour = await new Bench(t, fixture, SETTINGS[1]).connect();
    for (const body of ['', '\x1e', 'x', '4', '40\x1e', 'abc', '9', '4\x1e', 'b!!!!', '42["x"]\x1e\x1e']) {
      const session = await PollingSession.start(fixture);
      const answer = await request(session.url(), { method: 'POST', body }).catch((err) => ({ status: err.code }));
      assert.ok([200, 400, 'ECONNRESET'].includes(answer.status), `${JSON.stringify(body)}: ${answer.status}`);
      const after = await session.get();
      assert.ok(after.status === 400 || /(^|\x1e)(1|40)/.test(after.text), `${JSON.stringify(body)}: ${after.text}`);
    }
    assert.deepEqual(await call(neighbour, 'message-with-ack', 'on'), ['on']);
  });
}, { concurrency: 4 });
