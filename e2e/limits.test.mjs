// Limits of `siren serve` with the official client: events in excess, the end of a flood, and how the client comes back.
// SIREN_BIN names the binary.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { directory, freePort, run } from './harness/program.mjs';
import { DEADLINE, eventually, next, within } from './harness/wait.mjs';

const SIREN = path.resolve(fileURLToPath(new URL('.', import.meta.url)), process.env.SIREN_BIN ?? '../bin/siren');

/** A node with these limits; resolves with its URL and the reasons of disconnects, as its backend hears of them. */
async function serve(t, limits) {
  const reasons = [];
  const backend = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { type, data } = JSON.parse(body);
    if (type === 'socket.disconnect') reasons.push(data.reason);
    response.end('{}');
  });
  await new Promise((resolve) => backend.listen(0, '127.0.0.1', resolve));
  t.after(() => backend.close());
  const file = path.join(directory(t), 'siren.yaml');
  const hooks = `webhooks: {url: "http://127.0.0.1:${backend.address().port}", secrets: [s3cr3t], events: [disconnect]}`;
  writeFileSync(file, `${hooks}\nnamespaces: [{name: "/", join: true}]\nlimits: ${limits}\n`);
  const port = await freePort();
  const args = ['serve', '--config', file, '--addr', `127.0.0.1:${port}`, '--admin-listen', '', '--drain-spread', '0s'];
  await run(t, SIREN, args, /siren serves/);
  return { url: `http://127.0.0.1:${port}`, reasons };
}

function client(t, url, options) {
  const socket = io(url, { forceNew: true, reconnectionDelay: 500, reconnectionDelayMax: 1000, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  test(`a flood over ${transports} ends, and its client comes back by itself`, async (t) => {
    const { url, reasons } = await serve(t, '{events_per_second: 5}');
    const socket = client(t, url, { transports });
    await next(socket, 'connect');
    const first = socket.id;
    const answers = await within(
      Promise.all(Array.from({ length: 20 }, () => socket.emitWithAck('join', 'r'))),
      'the answers to a burst',
    );
    const count = (want) => answers.filter((a) => JSON.stringify(a) === JSON.stringify(want)).length;
    const refused = count({ error: 'rate limited' });
    assert.ok(refused >= 14 && refused + count({ status: 'ok' }) === 20, JSON.stringify(answers));
    assert.ok(socket.connected, 'a burst does not end the connection');

    const attempts = [];
    socket.io.on('reconnect_error', (err) => attempts.push(err.context?.status ?? err.description));
    const ended = next(socket, 'disconnect');
    const flood = setInterval(() => socket.volatile.emit('join', 'r'), 20);
    t.after(() => clearInterval(flood));
    const [reason] = await ended;
    clearInterval(flood);
    assert.ok(['transport close', 'transport error'].includes(reason), reason);
    assert.deepEqual(await eventually(() => (reasons.length > 0 ? reasons : null), 'the backend hears of it'), ['rate limited']);

    await next(socket, 'connect', DEADLINE);
    assert.notEqual(socket.id, first);
    assert.ok(attempts.length > 0, 'the address is refused for a while');
    assert.deepEqual(await within(socket.emitWithAck('join', 'r'), 'the answer to join'), { status: 'ok' });
  });
}

test('an address has a number of connections', async (t) => {
  const { url } = await serve(t, '{connections_per_address: 2}');
  const options = { reconnection: false };
  const [a, b] = [client(t, url, options), client(t, url, options)];
  await Promise.all([next(a, 'connect'), next(b, 'connect')]);
  for (const transports of [['polling'], ['websocket']]) {
    await next(client(t, url, { ...options, transports }), 'connect_error');
  }
  b.disconnect();
  const again = client(t, url, { reconnectionDelay: 100 });
  await next(again, 'connect');
});
