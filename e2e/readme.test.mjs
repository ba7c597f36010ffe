// The README's first minutes with a node, command by command: a node, a page, and a message from curl. The ports are
// other ones, set by the environment.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { CHROMIUM, PATIENCE, launch } from './harness/browser.mjs';
import { directory, freePort, installed } from './harness/program.mjs';
import { eventually, next, within } from './harness/wait.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
// A build takes a while where nothing is built yet.
const BUILD = 180_000;

/** The shell commands of the README's section about the node. */
function commands() {
  const text = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const [, section] = text.match(/\n## Run a node\n([^]*?)\n## /);
  return [...section.matchAll(/```sh\n([^]*?)```/g)].map(([, code]) => code);
}

/** Runs a shell command in the root until the test ends. */
function shell(t, command, env) {
  const child = spawn('sh', ['-c', command], { cwd: ROOT, env: { ...process.env, ...env }, detached: true });
  let text = '';
  for (const out of [child.stdout, child.stderr]) out.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  const exit = new Promise((resolve) => child.once('exit', resolve));
  t.after(() => {
    if (child.exitCode === null) process.kill(-child.pid, 'SIGTERM'); // go run has children of its own
    return within(exit, `the end of ${command}`);
  });
  return { exit, text: () => text, ended: () => child.exitCode !== null };
}

test('a node, a page and curl', { skip: !installed('curl') && 'no curl' }, async (t) => {
  const [port, admin] = [await freePort(), await freePort()];
  const [serve, curl, ...more] = commands();
  assert.equal(more.length, 0);
  assert.ok(serve.includes('siren serve') && curl.startsWith('curl http://127.0.0.1:3001/'));
  const node = shell(t, serve, { SIREN_LISTEN: `127.0.0.1:${port}`, SIREN_ADMIN__LISTEN: `127.0.0.1:${admin}` });
  await eventually(() => {
    if (node.ended()) throw new Error(`the node has ended: ${node.text()}`);
    return node.text().includes('siren serves');
  }, 'the node serves', BUILD);

  const socket = io(`http://127.0.0.1:${port}`, { forceNew: true });
  t.after(() => socket.disconnect());
  await next(socket, 'connect');
  await socket.emitWithAck('join', 'lobby');
  const heard = next(socket, 'chat');
  let page;
  if (CHROMIUM) {
    const browser = await launch(directory(t));
    t.after(() => browser.close());
    page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.locator('#send:not([disabled])').waitFor();
  }
  const sent = shell(t, curl.replace('127.0.0.1:3001', `127.0.0.1:${admin}`));
  assert.equal(await within(sent.exit, 'the end of curl'), 0);
  assert.match(sent.text(), new RegExp(`{"count":${page ? 2 : 1},"exact":true}`));
  assert.equal((await heard)[0].text, 'Hello from curl');
  await page?.getByRole('log').locator('.message', { hasText: 'Hello from curl' }).waitFor();
});
