// The README's lines, as its reader tries them: a node, a page and a message from curl, a client, and a Go program. The
// ports are other ones. server/install_test.go installs the command and the package.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { io } from 'socket.io-client';
import { CHROMIUM, PATIENCE, launch } from './harness/browser.mjs';
import { accepting, directory, freePort, installed } from './harness/program.mjs';
import { eventually, next, within } from './harness/wait.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
// A build takes a while where nothing is built yet.
const BUILD = 180_000;

const README = readFileSync(path.join(ROOT, 'README.md'), 'utf8');

/** The blocks of code of a language in a section of the README. */
function blocks(heading, language) {
  const section = README.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  return [...section.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, code]) => code);
}

/** Runs a shell command in the root until the test ends. */
function shell(t, command, env) {
  const child = spawn('sh', ['-c', command], { cwd: ROOT, env: { ...process.env, ...env }, detached: true });
  let text = '';
  for (const out of [child.stdout, child.stderr]) out.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  const exit = new Promise((resolve) => child.once('exit', resolve));
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, 'SIGTERM'); // make has children
    return within(exit, `the end of ${command}`);
  });
  return { exit, pid: child.pid, text: () => text, ended: () => child.exitCode !== null || child.signalCode !== null };
}

test('a node, a page and curl', { skip: !installed('curl') && 'no curl' }, async (t) => {
  const [port, admin] = [await freePort(), await freePort()];
  assert.match(README, /In a clone of the repository, `make run`/);
  const [curl, ...more] = blocks('A node for your backend', 'sh');
  assert.equal(more.length, 0);
  assert.ok(curl.startsWith('curl http://127.0.0.1:3001/'));
  const node = shell(t, 'make run', { ADDR: `127.0.0.1:${port}`, SIREN_ADMIN__LISTEN: `127.0.0.1:${admin}` });
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

  // The README's client, as a program in a folder with the client of npm.
  const [client] = blocks('A node for your backend', 'js');
  const heardByClient = await promisify(execFile)(process.execPath, ['--input-type=module', '-e',
    `${client.replace('localhost:3000', `127.0.0.1:${port}`)}\nsocket.disconnect();`], { cwd: import.meta.dirname });
  assert.equal(heardByClient.stdout, "{ title: 'Hello' }\n");

  if (process.platform === 'linux') {
    const [fanout] = blocks('A load generator', 'sh');
    assert.match(fanout, /^siren bench fanout --url http:\/\/127\.0\.0\.1:3000 --subscribers 1000 /);
    const load = shell(t, `bin/${fanout.replace(':3000', `:${port}`).replace('1000', '100')}`);
    assert.equal(await within(load.exit, 'the end of the load', BUILD), 0, load.text());
    assert.match(load.text(), /verdict +ok/);
  }

  // Ctrl-C goes to make and to the node, which ends as it should.
  process.kill(-node.pid, 'SIGINT');
  await within(node.exit, 'the end of make run');
  assert.match(node.text(), /siren stopped/);
  assert.doesNotMatch(node.text(), /Error/);
});

test('a Go program, and its client', async (t) => {
  const port = await freePort();
  const dir = directory(t);
  const [program] = blocks('A package for your Go program', 'go');
  for (const name of ['go.mod', 'go.sum']) cpSync(path.join(ROOT, name), path.join(dir, name));
  writeFileSync(path.join(dir, 'main.go'), program.replace('tcp://:3000', `tcp://127.0.0.1:${port}`));
  const go = (...args) => promisify(execFile)('go', args, { cwd: dir, env: { ...process.env, GOFLAGS: '-mod=mod', GOWORK: 'off' } });
  const module = 'github.com/seed58c87869/siren';
  await go('mod', 'edit', '-module', 'example.org/chat', '-require', `${module}@v0.0.0`, '-replace', `${module}=${ROOT}`);
  await go('build', '-o', 'program', '.');
  const running = shell(t, `exec ${path.join(dir, 'program')}`);
  await accepting(port);
  const [ann, ben] = ['Ann', 'Ben'].map(() => io(`http://127.0.0.1:${port}/chat`, { forceNew: true }));
  t.after(() => [ann, ben].forEach((socket) => socket.disconnect()));
  await Promise.all([next(ann, 'connect'), next(ben, 'connect')]);
  const heard = next(ben, 'said');
  assert.equal(await within(ann.emitWithAck('say', 'hello'), 'the acknowledgement'), 'ok');
  assert.deepEqual(await heard, [ann.id, 'hello']);

  process.kill(-running.pid, 'SIGTERM');
  assert.equal(await within(running.exit, 'the end of the program'), 0, running.text());
});
