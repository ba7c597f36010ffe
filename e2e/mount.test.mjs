// Siren in a net/http program, on unix sockets, and behind proxies, with the official client.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { SETTINGS, call, connected, transportOf } from './harness/client.mjs';
import { NETHTTP, accepting, directory, freePort, installed, run } from './harness/program.mjs';
import { eventually, next } from './harness/wait.mjs';

/** The program, its own address and those that it is asked to listen on besides. */
async function program(t, ...args) {
  const [, url] = await run(t, NETHTTP, ['-addr', '127.0.0.1:0', ...args], /^ready (\S+)/m);
  return url;
}

function dial(t, url, options) {
  const socket = io(url, { forceNew: true, reconnection: false, rejectUnauthorized: false, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

/** Connects, settles, and sends text and binary both ways. Resolves with what the server knows of the client. */
async function exchange(t, url, setting, options) {
  const socket = dial(t, url, { ...setting.options(t), ...options });
  await connected(socket);
  await eventually(() => transportOf(socket) === setting.ends, `transport ${setting.ends}`);
  assert.deepEqual(await call(socket, 'echo', { a: [1, 'ü'] }), [{ a: [1, 'ü'] }]);
  const long = 'x'.repeat(200_000);
  assert.deepEqual(await call(socket, 'echo', long), [long]);
  const heard = next(socket, 'chat');
  await call(socket, 'chat', 'hello');
  assert.deepEqual(await heard, ['hello']);
  const [who] = await call(socket, 'whoami');
  return { who, socket };
}

for (const tls of [false, true]) {
  for (const setting of SETTINGS) {
    test(`mounted in net/http${tls ? ' over TLS' : ''} [${setting.name}]`, async (t) => {
      // The agent of the last setting supports plain HTTP only.
      if (tls && setting.name === 'kept-alive polling') return t.skip('plain only');
      const url = await program(t, ...(tls ? ['-tls'] : []));
      const { who } = await exchange(t, url, setting);
      assert.deepEqual(who, { address: '127.0.0.1', peer: '127.0.0.1', secure: tls, transport: setting.ends });
    });
  }
}

test('a broadcast reaches clients of net/http and of the own listener', async (t) => {
  const port = await freePort();
  const url = await program(t, '-own', `tcp://127.0.0.1:${port}`);
  const [mounted, own] = [dial(t, url), dial(t, `http://127.0.0.1:${port}`)];
  await Promise.all([connected(mounted), connected(own)]);
  const both = Promise.all([next(mounted, 'chat'), next(own, 'chat')]);
  assert.deepEqual(await call(own, 'chat', 'to all'), [2]);
  assert.deepEqual(await both, [['to all'], ['to all']]);
  for (const base of [url, `http://127.0.0.1:${port}`]) {
    assert.match(await (await fetch(`${base}/api/time`)).text(), /^\d{4}-/, 'the other routes are on both');
  }
});

test('the server leaves cleanly under connected clients', async (t) => {
  const url = await program(t); // run() waits for its end
  const sockets = [dial(t, url, { transports: ['polling'] }), dial(t, url, { transports: ['websocket'] })];
  await Promise.all(sockets.map(connected));
});

test('unix socket through socketPath', async (t) => {
  const file = path.join(directory(t), 'siren.sock');
  await program(t, '-own', `unix://${file}`, '-trust', '10.0.0.0/8');
  assert.ok(existsSync(file));
  const ask = (headers) =>
    new Promise((resolve, reject) => {
      const target = '/socket.io/?EIO=4&transport=polling';
      http
        .get({ socketPath: file, path: target, headers }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve(text));
        })
        .once('error', reject);
    });
  assert.match(await ask({}), /^0\{"sid":/);
  // The official client takes the path through its agent.
  const agent = new http.Agent({ keepAlive: true });
  const { createConnection } = agent;
  agent.createConnection = (_, done) => createConnection.call(agent, { path: file }, done);
  t.after(() => agent.destroy());
  for (const setting of SETTINGS.slice(0, 3)) {
    const { who } = await exchange(t, 'http://localhost', setting, { agent });
    assert.deepEqual(who, { address: '', peer: '', secure: false, transport: setting.ends });
  }
  const { who } = await exchange(t, 'http://localhost', SETTINGS[0], {
    agent,
    extraHeaders: { 'x-forwarded-for': '203.0.113.9, 10.0.0.1', 'x-forwarded-proto': 'https' },
  });
  assert.deepEqual([who.address, who.secure], ['203.0.113.9', true], 'a proxy on the unix socket is believed');
});

// The configurations of docs/embedding.md, with the test's ports.
const guide = readFileSync(fileURLToPath(new URL('../docs/embedding.md', import.meta.url)), 'utf8');

function configuration(title, ports) {
  const [, text] = guide.match(new RegExp(`<!-- ${title} -->\\s+\`\`\`\\w*\\n([\\s\\S]*?)\`\`\``)) ?? [];
  assert.ok(text, `docs/embedding.md has "${title}"`);
  return Object.entries(ports).reduce((out, [from, to]) => out.replaceAll(`:${from}`, `:${to}`).replaceAll(`listen ${from};`, `listen 127.0.0.1:${to};`), text);
}

test('behind nginx', { skip: !installed('nginx') && 'nginx is not installed' }, async (t) => {
  const [front, back] = [await freePort(), await freePort()];
  const dir = directory(t);
  const file = path.join(dir, 'nginx.conf');
  writeFileSync(
    file,
    `${process.getuid() === 0 ? 'user root;' : ''} daemon off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;
     events {}
     http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((n) => `${n}_temp_path ${dir}/${n};`).join(' ')}
     ${configuration('nginx', { 80: front, 3000: back })} }`,
  );
  await program(t, '-own', `tcp://127.0.0.1:${back}`, '-trust', '127.0.0.0/8');
  await run(t, 'nginx', ['-p', dir, '-c', file]);
  await accepting(front);
  for (const setting of SETTINGS) {
    const { who } = await exchange(t, `http://127.0.0.1:${front}`, setting, { extraHeaders: { 'X-Forwarded-For': '203.0.113.9, 8.8.8.8' } });
    // nginx and its client both have trusted addresses, so the client's header is trusted too.
    assert.deepEqual(who, { address: '8.8.8.8', peer: '127.0.0.1', secure: false, transport: setting.ends });
  }
});

for (const [title, trust] of [['haproxy http', ['-trust', '127.0.0.0/8']], ['haproxy proxy protocol', ['-proxy-protocol', '-trust', '127.0.0.0/8']]]) {
  test(`behind HAProxy [${title}]`, { skip: !installed('haproxy') && 'HAProxy is not installed' }, async (t) => {
    const [front, back] = [await freePort(), await freePort()];
    const file = path.join(directory(t), 'haproxy.cfg');
    writeFileSync(file, configuration(title, { 80: front, 3000: back }));
    await program(t, '-own', `tcp://127.0.0.1:${back}`, ...trust);
    await run(t, 'haproxy', ['-db', '-f', file]);
    await accepting(front);
    for (const setting of SETTINGS) {
      const { who } = await exchange(t, `http://127.0.0.1:${front}`, setting);
      assert.deepEqual(who, { address: '127.0.0.1', peer: '127.0.0.1', secure: false, transport: setting.ends });
    }
  });
}
