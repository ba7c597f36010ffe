// Tokens and webhooks with the official client: `siren serve` with examples/backend, in Python and in Node.
// SIREN_BIN names the binary. Without python3 the tests with the backend in Python are skipped.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { directory, freePort, installed, run } from './harness/program.mjs';
import { next, within } from './harness/wait.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SIREN = path.resolve(HERE, process.env.SIREN_BIN ?? '../bin/siren');
const EXAMPLE = path.resolve(HERE, '../examples/backend');

/** A node and the example's backend; resolves with what tests do with them. */
async function start(t, program, file) {
  const [port, admin, backend] = [await freePort(), await freePort(), await freePort()];
  const url = `http://127.0.0.1:${backend}`;
  const config = path.join(directory(t), 'siren.yaml');
  const text = readFileSync(path.join(EXAMPLE, 'siren.yaml'), 'utf8');
  writeFileSync(config, text.replace('http://127.0.0.1:8000', url).replace('http://localhost:8000', url));
  const env = [`PORT=${backend}`, `SIREN_API=http://127.0.0.1:${admin}/api`, 'PYTHONDONTWRITEBYTECODE=1'];
  await run(t, '/usr/bin/env', [...env, program, path.join(EXAMPLE, file)], /backend on/);
  const args = ['serve', '--config', config, '--addr', `127.0.0.1:${port}`, '--admin-listen', `127.0.0.1:${admin}`, '--drain-spread', '0s'];
  await run(t, SIREN, args, /siren serves/);
  return {
    url,
    sign: (...flags) => execFileSync(SIREN, ['token', '--config', config, ...flags], { encoding: 'utf8' }).trim(),
    token: async (user) => (await (await fetch(`${url}/token?user=${user}`)).json()).token,
    connect: (auth, options = {}) => {
      const socket = io(`http://127.0.0.1:${port}`, { forceNew: true, reconnection: false, auth, ...options });
      t.after(() => socket.disconnect());
      return socket;
    },
  };
}

for (const [program, file] of [['node', 'backend.mjs'], ['python3', 'backend.py']]) {
  describe(file, { skip: installed(program) ? false : `no ${program}` }, () => {
    for (const transports of [['polling'], ['websocket']]) {
      test(`a client over ${transports} and its backend`, async (t) => {
        const { url, token, connect } = await start(t, program, file);
        const ann = connect({ token: await token('ann') }, { transports });
        assert.deepEqual(await next(ann, 'welcome'), ['ann']);
        const said = next(ann, 'said');
        assert.equal(await within(ann.emitWithAck('say', 'hello'), 'the answer to say'), 'thanks');
        assert.deepEqual(await said, [{ from: 'ann', text: 'hello' }]);
        const news = next(ann, 'news');
        const posted = await fetch(`${url}/news`, { method: 'POST', body: 'it works' });
        assert.deepEqual(await posted.json(), { count: 1 });
        assert.deepEqual(await news, ['it works']);

        const [refused] = await next(connect({ token: await token('eve') }, { transports }), 'connect_error');
        assert.equal(refused.message, 'not today');
        assert.deepEqual(refused.data, { code: 'not_allowed' });
      });
    }
  });
}

test('refusals, expiry and renewal of tokens', async (t) => {
  const { sign, connect } = await start(t, 'node', 'backend.mjs');
  for (const [auth, code] of [
    [{}, 'token_required'],
    [{ token: 'x' }, 'token_invalid'],
    [{ token: sign('--namespace', '/other') }, 'not_allowed'],
    [{ token: sign('--room', 'other') }, 'not_allowed'],
  ]) {
    const [err] = await next(connect(auth), 'connect_error');
    assert.equal(err.message, code.replace('_', ' '));
    assert.deepEqual(err.data, { code });
  }
  const ann = connect({ token: sign('--sub', 'ann', '--expires', '20s', '--join', 'news-*') });
  const [warning] = await next(ann, 'token-expiring');
  assert.ok(warning.expires_in > 10 && warning.expires_in <= 20, JSON.stringify(warning));
  const ask = (...args) => within(ann.emitWithAck(...args), `the answer to ${args[0]}`);
  assert.deepEqual(await ask('token', sign('--sub', 'ben')), { error: 'not allowed' });
  assert.deepEqual(await ask('token', 'x'), { error: 'token invalid' });
  assert.deepEqual(await ask('join', 'news-1'), { status: 'ok' });
  const renewed = await ask('token', sign('--sub', 'ann', '--expires', '1h', '--join', 'news-2'));
  assert.equal(renewed.status, 'ok');
  assert.ok(renewed.expires_in > 3500, JSON.stringify(renewed));
  assert.deepEqual(await ask('join', 'news-1'), { error: 'not allowed' });
  assert.deepEqual(await ask('join', 'news-2'), { status: 'ok' });
});
