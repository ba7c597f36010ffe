// The official Admin UI, as npm has it, against `siren serve`: its page runs in a browser, signs in, sees sockets, rooms,
// events and numbers, and its commands reach clients.
//
// SIREN_BIN names the binary. CHROMIUM may name a browser; without one, or without the package, the tests are skipped.
// SCREENSHOTS may name a directory for pictures.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { PATIENCE, launch, skip as noBrowser } from './harness/browser.mjs';
import { directory, freePort, run } from './harness/program.mjs';
import { next, within } from './harness/wait.mjs';

const SIREN = path.resolve(fileURLToPath(new URL('.', import.meta.url)), process.env.SIREN_BIN ?? '../bin/siren');
const require = createRequire(import.meta.url);

/** The directory of the UI's page; null without the package. */
function pages() {
  try {
    return path.join(path.dirname(require.resolve('@socket.io/admin-ui/package.json')), 'ui', 'dist');
  } catch {
    return null;
  }
}

const DIST = pages();
const skip = noBrowser || (DIST ? false : 'the package @socket.io/admin-ui is not installed');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png' };

/** Serves the UI's page, and nothing else; resolves with its origin. */
async function web(suite) {
  const server = createServer((request, response) => {
    const file = path.normalize(request.url === '/' ? '/index.html' : request.url.split('?')[0]);
    try {
      const body = readFileSync(path.join(DIST, file));
      response.setHeader('Content-Type', TYPES[path.extname(file)] ?? 'text/plain');
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  suite.after(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${server.address().port}`;
}

describe('Admin UI', { skip }, () => {
  let browser, origin, contexts, faults, hash;
  const cleanups = [];

  before(async () => {
    const suite = { after: (f) => cleanups.push(f) };
    browser = await launch(directory(suite));
    origin = await web(suite);
    hash = require('bcryptjs').hashSync('changeit', 10);
    contexts = [];
    faults = [];
  });

  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    assert.deepEqual(faults.splice(0), []);
  });

  after(async () => {
    await browser?.close();
    for (const f of cleanups.toReversed()) await f();
  });

  /** A node with the UI's namespace; resolves with its URL. */
  async function serve(t, settings) {
    const file = path.join(directory(t), 'siren.yaml');
    writeFileSync(file, `node: harbour-1
cors: {origins: ["${origin}"]}
namespaces: [{name: "/", publish: true, join: true}]
admin_ui: {enabled: true, username: admin, password_bcrypt: "${hash}", ${settings}}
`);
    const port = await freePort();
    await run(t, '/bin/sh', ['-c', 'exec "$0" "$@" 2>&1', SIREN, 'serve', '--config', file, '--addr', `127.0.0.1:${port}`, '--admin-listen', ''], /siren serves/);
    return `http://127.0.0.1:${port}`;
  }

  async function client(t, url, ...rooms) {
    const socket = io(url, { forceNew: true, transports: ['websocket'], reconnection: false });
    t.after(() => socket.disconnect());
    await next(socket, 'connect');
    await within(socket.emitWithAck('join', rooms), 'the answer to join');
    return socket;
  }

  /** Opens the page and signs in. */
  async function open(url, password = 'changeit') {
    const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
    contexts.push(context);
    context.setDefaultTimeout(PATIENCE);
    // The page would fetch fonts from elsewhere.
    await context.route((at) => at.hostname !== '127.0.0.1', (route) => route.abort());
    const page = await context.newPage();
    page.on('pageerror', (error) => faults.push(String(error)));
    await page.goto(`${origin}/`);
    await page.getByLabel('Server URL').fill(url);
    await page.getByLabel('Username').fill('admin');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Connect' }).click();
    return page;
  }

  const show = async (page, view) => {
    await page.evaluate((to) => (location.hash = `#/${to}/`), view);
    await page.locator('main').getByText(view[0].toUpperCase() + view.slice(1), { exact: true }).first().waitFor();
  };
  const shoot = async (page, name) => {
    if (process.env.SCREENSHOTS) await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `adminui-${name}.png`) });
  };
  /** Clicks the button of a row whose icon has a class. */
  const press = (row, icon) => row.locator('button', { has: row.page().locator(`.${icon}`) }).click();

  test('it signs in, sees sockets, and disconnects one', async (t) => {
    const url = await serve(t, 'mode: development');
    const [a, b] = [await client(t, url, 'harbour'), await client(t, url, 'lobby')];
    const page = await open(url);
    await show(page, 'sockets');
    const row = (id) => page.locator('main tr', { hasText: id });
    await row(a.id).waitFor();
    await row(b.id).waitFor();
    await shoot(page, 'sockets');
    const late = await client(t, url, 'late');
    await row(late.id).waitFor();

    const [first, end] = [a.id, next(a, 'disconnect')];
    await press(row(first), 'mdi-logout');
    assert.equal((await end)[0], 'io server disconnect');
    await show(page, 'sockets'); // the click has opened the details of the socket too
    await row(b.id).waitFor();
    await row(first).waitFor({ state: 'detached' });
    assert.ok(b.connected);

    await show(page, 'rooms');
    const room = page.locator('main tr', { hasText: 'lobby' });
    await room.waitFor();
    await page.locator('main tr', { hasText: 'late' }).waitFor();
    assert.equal(await page.locator('main tr', { hasText: 'harbour' }).count(), 0, 'a room without sockets has gone');

    await show(page, 'events');
    b.emit('publish', { room: 'lobby', event: 'seen-by-the-ui', data: 1 });
    await page.locator('main tr', { hasText: 'publish' }).first().waitFor();
    await page.locator('main tr', { hasText: 'seen-by-the-ui' }).first().waitFor();
    await shoot(page, 'events');

    await show(page, 'servers');
    await page.locator('main tr', { hasText: 'harbour-1' }).filter({ hasText: /healthy/i }).waitFor();
    await show(page, 'clients');
    await page.locator('main tr', { hasText: '127.0.0.1' }).first().waitFor();

    // The session lets the page in again.
    await page.reload();
    await show(page, 'sockets');
    await row(b.id).waitFor();
  });

  test('its commands reach a room', async (t) => {
    const url = await serve(t, 'mode: development');
    const [a, b] = [await client(t, url, 'crew'), await client(t, url, 'others')];
    const page = await open(url);
    await show(page, 'rooms');
    const room = page.locator('main tr', { hasText: 'crew' });
    await room.waitFor();
    const end = next(a, 'disconnect');
    await press(room, 'mdi-logout');
    await end;
    assert.ok(b.connected);
  });

  test('in production it gets numbers alone', async (t) => {
    const url = await serve(t, 'mode: production');
    const a = await client(t, url, 'harbour');
    const page = await open(url);
    await show(page, 'servers');
    await page.locator('main tr', { hasText: 'harbour-1' }).waitFor();
    assert.ok(!(await page.content()).includes(a.id));
    await page.evaluate(() => (location.hash = '#/'));
    await page.getByText('Connection and disconnection events').first().waitFor();
    await shoot(page, 'production');
  });

  test('a wrong password is refused', async (t) => {
    const url = await serve(t, 'mode: development, readonly: true');
    const page = await open(url, 'nope');
    await page.getByText('Invalid credentials').first().waitFor();
    await page.getByLabel('Password').fill('changeit');
    await page.getByRole('button', { name: 'Connect' }).click();
    const a = await client(t, url, 'harbour');
    await show(page, 'sockets');
    await page.locator('main tr', { hasText: a.id }).waitFor();
    // A page that may only look has no buttons for commands.
    assert.equal(await page.locator('main tr', { hasText: a.id }).locator('button:has(.mdi-logout)').count(), 0);
  });
});
