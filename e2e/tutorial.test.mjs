// The tutorial, as its reader goes through it: the files of each part are typed into one folder, from the text, and the
// program is built in a module of the reader's, run, and used in two windows of a browser. The port is another one, and the
// client's script comes from node_modules instead of the network. Without a browser the official client uses the programs.
//
// CHROMIUM may name a browser. server/programs_test.go reads the pages in the same way and runs the Go compiler's checks.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { io } from 'socket.io-client';
import { PATIENCE, launch, skip } from './harness/browser.mjs';
import { accepting, directory, freePort, run } from './harness/program.mjs';
import { next, within } from './harness/wait.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TUTORIAL = path.join(ROOT, 'docs/tutorial');
const MODULE = 'github.com/seed58c87869/siren';
const CDN = 'https://cdn.socket.io/4.8.3/socket.io.esm.min.js';
const CLIENT = fileURLToPath(new URL('node_modules/socket.io-client-browser/dist/socket.io.esm.min.js', import.meta.url));

/** Does what the blocks of code of a page say to the files of a folder, a Map from names to texts. */
function read(page, files) {
  for (const [, language, code] of page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
    const head = code.match(/^(?: ?\/\/ |<!-- )([\w./-]+\.\w+)(, at the end)?(?: -->)?\n/);
    if (!head) continue;
    const [line, name, atEnd] = head;
    const body = code.slice(line.length);
    if (language === 'diff') {
      const lines = body.match(/.*\n/g);
      const side = (other) => lines.filter((l) => l[0] !== other).map((l) => l.slice(1)).join('');
      const parts = files.get(name).split(side('+'));
      assert.equal(parts.length, 2, `${name} has once ${side('+')}`);
      files.set(name, parts.join(side('-')));
    } else if (atEnd) files.set(name, `${files.get(name)}\n${body}`);
    else files.set(name, code);
  }
}

/** The files after a part of the tutorial. */
function filesOf(part) {
  const files = new Map();
  const pages = readdirSync(TUTORIAL).filter((name) => /^\d-/.test(name)).sort();
  for (const page of pages.slice(0, part)) read(readFileSync(path.join(TUTORIAL, page), 'utf8'), files);
  return files;
}

/** Builds a part's program in an empty module. */
async function build(t, part, port) {
  const dir = directory(t);
  for (const name of ['go.mod', 'go.sum']) cpSync(path.join(ROOT, name), path.join(dir, name));
  for (const [name, text] of filesOf(part)) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), text.replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`));
  }
  const go = (...args) =>
    promisify(execFile)('go', args, { cwd: dir, env: { ...process.env, GOFLAGS: '-mod=mod', GOWORK: 'off' } });
  await go('mod', 'edit', '-module', 'example.org/chat', '-require', `${MODULE}@v0.0.0`, '-replace', `${MODULE}=${ROOT}`);
  await go('build', '-o', 'chat', '.');
  return dir;
}

describe('the tutorial', () => {
  /** Starts the program of a part; resolves with its port, and what opens windows, if there is a browser. */
  async function serve(t, part) {
    const port = await freePort();
    const dir = await build(t, part, port);
    await run(t, '/bin/sh', ['-c', 'cd "$0" && exec ./chat', dir]);
    await accepting(port);
    let browser;
    const open = async () => {
      if (!browser) {
        browser = await launch(directory(t));
        t.after(() => browser.close());
      }
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE);
      const script = { path: CLIENT, contentType: 'text/javascript', headers: { 'Access-Control-Allow-Origin': '*' } };
      await page.route(CDN, (route) => route.fulfill(script));
      await page.goto(`http://127.0.0.1:${port}/`);
      return page;
    };
    return { port, open };
  }

  /** Connects the official client. */
  async function connect(t, port, namespace, auth) {
    const socket = io(`http://127.0.0.1:${port}${namespace}`, { forceNew: true, reconnection: false, auth });
    t.after(() => socket.disconnect());
    await Promise.race([next(socket, 'connect'), next(socket, 'connect_error').then(([err]) => Promise.reject(err))]);
    return { socket, ask: (...args) => within(socket.emitWithAck(...args), `the answer to ${args[0]}`) };
  }

  const say = async (page, text) => {
    await page.getByLabel('Message').fill(text);
    await page.getByRole('button', { name: 'Send' }).click();
  };
  const hears = (page, text) => page.locator('#log li', { hasText: text }).waitFor();

  test('part 1: it connects', async (t) => {
    const { port, open } = await serve(t, 1);
    await connect(t, port, '/');
    if (!skip) await (await open()).getByText('Connected as').waitFor();
  });

  test('part 2: a message to everybody, and errors', async (t) => {
    const { port, open } = await serve(t, 2);
    const { socket, ask } = await connect(t, port, '/');
    const heard = next(socket, 'said');
    assert.equal(await ask('say', ' hello '), 'ok');
    assert.equal((await heard)[0].text, 'hello');
    // A missing argument and null are the empty text; anything else that is no string is an error.
    for (const args of [[], [null], ['']]) assert.deepEqual(await ask('say', ...args), { error: 'say something' });
    for (const arg of [1, true, {}, []]) assert.ok((await ask('say', arg)).error);
    if (skip) return;
    const [ann, ben] = [await open(), await open()];
    await say(ann, '');
    await ann.getByRole('alert').getByText('say something').waitFor();
    await say(ann, '<b>hello</b>');
    await hears(ben, `: <b>hello</b>`);
    await hears(ann, 'me: <b>hello</b>');
    assert.equal(await ann.getByRole('alert').textContent(), '');
  });

  test('part 3: rooms, people and typing', async (t) => {
    const { port, open } = await serve(t, 3);
    const { ask } = await connect(t, port, '/chat');
    assert.deepEqual(await ask('say', 'hello'), { error: 'enter a room first' });
    assert.deepEqual(await ask('enter', ' '), { error: 'no such room' });
    assert.equal(await ask('enter', 'harbour'), 1);
    if (skip) return;
    const [ann, ben] = [await open(), await open()];
    await ann.waitForFunction(() => document.title === 'Chat (2)');
    await ann.getByLabel('Message').fill('he');
    await ben.getByText('is typing').waitFor();
    await say(ann, 'hello');
    await hears(ben, ': hello');
    await ben.getByLabel('Room').fill('harbour');
    await ben.getByRole('button', { name: 'Enter' }).click();
    await ben.waitForFunction(() => document.title === 'Chat (2)');
    await ann.waitForFunction(() => document.title === 'Chat (1)');
  });

  test('part 4: names, and who is refused', async (t) => {
    const { port, open } = await serve(t, 4);
    for (const auth of [undefined, { token: 'x' }, { token: 'x.Ann' }]) {
      await assert.rejects(connect(t, port, '/chat', auth), { message: 'sign in' });
    }
    const signIn = (name) => fetch(`http://127.0.0.1:${port}/sign-in`, { method: 'POST', body: JSON.stringify({ name }) });
    assert.equal((await signIn('')).status, 400);
    const { ask } = await connect(t, port, '/chat', await (await signIn('Cleo')).json());
    assert.equal(await ask('enter', 'lobby'), 1);
    if (skip) return;
    const [ann, ben] = [await open(), await open()];
    for (const [page, name] of [[ann, 'Ann'], [ben, 'Ben']]) {
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('a name, please').waitFor();
      await page.getByLabel('Your name').fill(name);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.locator('#sign-in').waitFor({ state: 'hidden' });
    }
    await ann.waitForFunction(() => document.title === 'Chat (3)');
    await say(ann, 'hello');
    await hears(ben, 'Ann: hello');
    await hears(ann, 'me: hello');
  });
});
