// The dashboard of the operators' listener in a real browser: the key, the plots, the form that emits, the button that
// disconnects, the keyboard, screen readers (axe-core), and what the page may load.
//
// SIREN_BIN names the binary. CHROMIUM may name a browser; without one the tests are skipped. SCREENSHOTS may name a
// directory for pictures.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { PATIENCE, launch, skip } from './harness/browser.mjs';
import { directory, freePort, run } from './harness/program.mjs';
import { eventually, next, within } from './harness/wait.mjs';

const SIREN = path.resolve(fileURLToPath(new URL('.', import.meta.url)), process.env.SIREN_BIN ?? '../bin/siren');
const KEY = 'a-key-of-the-test';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A node with a key; resolves with its addresses and a function that stops it. */
async function serve(t, ports) {
  const [port, admin] = ports ?? [await freePort(), await freePort()];
  const file = path.join(directory(t), 'siren.yaml');
  writeFileSync(file, `node: harbour-1
namespaces:
  - {name: "/", publish: true, join: true}
  - {name: "/news", join: true}
admin: {api_keys: ["another", "${KEY}"]}
`);
  const args = ['serve', '--config', file, '--addr', `127.0.0.1:${port}`, '--admin-listen', `127.0.0.1:${admin}`, '--drain-spread', '0s'];
  const [, pid] = await run(t, '/bin/sh', ['-c', 'echo "pid $$"; exec "$0" "$@"', SIREN, ...args], /pid (\d+)[^]*siren serves/);
  return { ports: [port, admin], pid: Number(pid), url: `http://127.0.0.1:${port}`, page: `http://127.0.0.1:${admin}/` };
}

describe('dashboard', { skip }, () => {
  let browser, contexts, faults;
  const cleanups = [];
  const suite = { after: (f) => cleanups.push(f) };
  let node;

  before(async () => {
    browser = await launch(directory(suite));
    node = await serve(suite);
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

  /** A client in rooms. */
  async function client(t, rooms = [], namespace = '/', options = {}) {
    const socket = io(node.url + namespace, { forceNew: true, transports: ['websocket'], ...options });
    t.after(() => socket.disconnect());
    await next(socket, 'connect');
    if (rooms.length) assert.deepEqual(await within(socket.emitWithAck('join', rooms), 'the answer to join'), { status: 'ok' });
    return socket;
  }

  /**
   * Opens the page. What it reports as an error fails the test, except for what `expected` matches: browsers report
   * requests that are refused, and the first one of a page without a key is.
   */
  async function open({ key = KEY, expected = /status of 401/, at = node.page, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    contexts.push(context);
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()) && !expected.test(message.text())) faults.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(at)) faults.push(`the page asks for ${request.url()}`);
    });
    await context.exposeFunction('violated', (text) => faults.push(text));
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (e) => window.violated(`CSP: ${e.violatedDirective} ${e.blockedURI}`));
    });
    await page.goto(at);
    if (key) {
      await page.getByLabel('API key').fill(key);
      await page.keyboard.press('Enter');
      await live(page);
    }
    return page;
  }

  const live = (page) => page.locator('#state[data-state="live"]').waitFor();
  const plot = (page, title) => page.getByRole('article', { name: title });
  const shoot = async (page, name) => {
    if (process.env.SCREENSHOTS) await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `dashboard-${name}.png`), fullPage: true });
  };
  const list = async (page, room, namespace = '/') => {
    await page.locator('#sockets-namespace').fill(namespace);
    await page.getByLabel('Room (empty: all)').fill(room);
    await page.getByRole('button', { name: 'List', exact: true }).click();
  };

  /** What axe-core finds wrong with the page. */
  async function violations(page) {
    await page.evaluate(AXE);
    const { violations: found } = await page.evaluate(() => window.axe.run(document));
    return found.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);
  }

  test('the key is asked for once, and the tab alone keeps it', async () => {
    const page = await open({ key: null });
    const dialog = page.getByRole('dialog', { name: 'This node asks for a key' });
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'key', 'the field has the focus');
    assert.equal(await page.getByLabel('API key').getAttribute('type'), 'password');
    assert.deepEqual(await violations(page), []);
    assert.equal(await page.locator('#node').textContent(), '', 'there is no data without a key');
    await page.keyboard.press('Escape');
    await dialog.waitFor();
    await page.getByLabel('API key').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'does not know this key' }).waitFor();
    await page.getByLabel('API key').fill(KEY);
    await page.getByRole('button', { name: 'Continue' }).click();
    await live(page);
    assert.equal(await page.locator('#node').textContent(), 'harbour-1');
    assert.equal(await dialog.count(), 0);
    await page.reload();
    await live(page);
    assert.deepEqual(await page.evaluate(() => [localStorage.length, document.cookie]), [0, '']);
    assert.ok(!(await page.content()).includes(KEY), 'the key stands nowhere in the page');
    assert.ok(!page.url().includes(KEY));
    const other = await page.context().newPage();
    await other.goto(node.page);
    await other.getByLabel('API key').waitFor();
    await other.close();
    await page.getByRole('button', { name: 'Forget the key' }).click();
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });

  test('the numbers and the plots are those of the node', async (t) => {
    const [a] = [await client(t, ['harbour', 'lobby']), await client(t, ['lobby'], '/', { transports: ['polling'] }), await client(t, ['news-eu'], '/news')];
    const page = await open();
    const connections = plot(page, 'Connections');
    await connections.locator('.value', { hasText: /^3$/ }).waitFor();
    assert.equal(await connections.locator('.legend').textContent(), 'WebSocket2long-polling1');
    await a.emitWithAck('publish', { room: 'lobby', event: 'e', data: 1 });
    for (const title of ['Packets', 'Traffic', 'Broadcasts', 'Arrivals and departures', 'Loop lag', 'Memory', 'Fan-out', 'Dropped and refused']) {
      const drawing = plot(page, title).getByRole('img');
      await page.waitForFunction((svg) => /^M[\d.]+ [\d.]+h0/.test(svg.querySelector('.curve').getAttribute('d')), await drawing.elementHandle());
      assert.match(await drawing.getAttribute('aria-label'), new RegExp(`^${title} in the last ten minutes\\. .*now [^ ]+.*\\.$`));
    }
    assert.match(await plot(page, 'Memory').locator('.value').textContent(), /^[\d.]+ (MiB|GiB)$/);
    assert.match(await plot(page, 'Fan-out').getByRole('img').getAttribute('aria-label'), /between ×\d/);
    await page.locator('#rooms').getByRole('button', { name: 'lobby 2' }).waitFor();
    await page.locator('#namespaces tr', { hasText: '/news11' }).waitFor();
    assert.ok((await page.locator('#loops tr').count()) > 0);
    await page.locator('#drops tr', { hasText: 'queue of a client full' }).first().waitFor();
    assert.match(await page.title(), /^harbour-1/);

    await page.getByText('The same as a table').click();
    const head = await page.locator('#rows-head th').allTextContents();
    assert.equal(head[0], 'Until');
    assert.ok(head.includes('Connections: WebSocket'));
    await page.waitForFunction((column) => document.querySelector('#rows-body')?.rows[0]?.cells[column].textContent === '2', head.indexOf('Connections: WebSocket'));
  });

  test('a past moment can be chosen, by keyboard and by pointer', async () => {
    const page = await open();
    const range = page.getByLabel('Show the values of');
    assert.equal(await range.getAttribute('aria-valuetext'), 'now');
    await range.focus();
    await page.keyboard.press('ArrowLeft');
    assert.match(await range.getAttribute('aria-valuetext'), /^\d\d:\d\d:\d\d, 3 seconds ago$/);
    assert.match(await page.locator('#scrub-text').textContent(), /^\d\d:\d\d:\d\d$/);
    assert.equal(await page.locator('.cursor[visibility=visible]').count(), 9);
    await page.keyboard.press('Home');
    assert.match(await range.getAttribute('aria-valuetext'), /600 seconds ago$/);
    await plot(page, 'Memory').locator('.value', { hasText: '–' }).waitFor();
    await page.keyboard.press('End');
    assert.equal(await range.getAttribute('aria-valuetext'), 'now');
    await plot(page, 'Memory').locator('svg').hover();
    assert.match(await page.locator('#scrub-text').textContent(), /^\d\d:\d\d:\d\d$/);
    await page.mouse.move(5, 5);
    assert.equal(await page.locator('#scrub-text').textContent(), 'now');
  });

  test('the form sends an event to a room, and to everybody', async (t) => {
    const [inside, outside] = [await client(t, ['form']), await client(t)];
    const page = await open({ expected: /status of (401|400)/ });
    const send = page.getByRole('button', { name: 'Send', exact: true });
    const result = page.locator('#emit-result');
    await send.click();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'emit-event', 'the first field that is wrong has the focus');
    assert.equal(await page.getByLabel('Event', { exact: true }).getAttribute('aria-invalid'), 'true');
    await page.getByText('Name the event.').waitFor();
    await page.getByText('Name a room, or choose everybody.').waitFor();
    assert.deepEqual(await violations(page), []);

    await page.getByLabel('Event', { exact: true }).fill('headline');
    await page.getByLabel('Room', { exact: true }).fill('form');
    const args = page.getByLabel('Arguments, as JSON');
    for (const wrong of ['Hello', '1], "local": true, "x": [2', '{"a":}']) {
      await args.fill(wrong);
      await send.click();
      await page.getByText('This is not JSON').waitFor();
    }
    const none = [];
    outside.onAny((...heard) => none.push(heard));
    const heard = new Promise((resolve) => inside.once('headline', (...values) => resolve(values)));
    await args.fill('{"text":"ü <b>"}, 42, null');
    await send.click();
    assert.deepEqual(await within(heard, 'the event'), [{ text: 'ü <b>' }, 42, null]);
    await result.filter({ hasText: 'Sent to 1 socket.' }).waitFor();
    assert.equal(await result.getAttribute('role'), 'status');

    // Numbers keep their digits: they are written as they were typed.
    const raw = [];
    inside.io.engine.on('packet', ({ data }) => raw.push(data));
    const everybody = next(outside, 'headline');
    await args.fill('12345678901234567890');
    await page.getByLabel('everybody in the namespace').check();
    assert.equal(await page.getByLabel('Room', { exact: true }).isVisible(), false);
    await send.click();
    await everybody;
    assert.deepEqual(none, [['headline', 12345678901234567890]], 'the room’s event went to the room alone');
    await eventually(() => raw.some((text) => String(text).includes('12345678901234567890')), 'all digits');

    await page.getByLabel('Event', { exact: true }).fill('disconnect');
    await send.click();
    await result.filter({ hasText: 'event: ' }).waitFor();
    assert.equal(await result.getAttribute('data-kind'), 'bad');
  });

  test('sockets of a room are listed and disconnected', async (t) => {
    const [a, b] = [await client(t, ['cut', 'more']), await client(t, ['cut'])];
    const [first, second] = [a.id, b.id];
    const page = await open({ expected: /status of (401|404)/ });
    await list(page, 'cut');
    const entries = page.locator('#sockets li');
    await page.locator('#sockets-result', { hasText: '2 sockets.' }).waitFor();
    const entry = entries.filter({ hasText: first });
    assert.match(await entry.textContent(), /websocket · 127\.0\.0\.1 · since \d\d:\d\d:\d\din (cut, more|more, cut)/);

    const button = page.getByRole('button', { name: `Disconnect ${first}` });
    const dialog = page.getByRole('dialog', { name: 'Disconnect this socket?' });
    await button.click();
    await dialog.waitFor();
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    assert.ok(a.connected);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Disconnect', 'the focus goes back');
    await button.click();
    const end = next(a, 'disconnect');
    await dialog.getByRole('button', { name: 'Disconnect' }).click();
    assert.equal((await end)[0], 'io server disconnect');
    await page.locator('#sockets-result', { hasText: `${first} is disconnected.` }).waitFor();
    assert.equal(await entries.count(), 1);
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), `Disconnect ${second}`);

    const cut = next(b, 'disconnect');
    await page.getByRole('button', { name: `Disconnect ${second}` }).click();
    await dialog.getByLabel('Close its whole connection').check();
    await dialog.getByRole('button', { name: 'Disconnect' }).click();
    assert.equal((await cut)[0], 'io server disconnect');
    await page.locator('#sockets-result', { hasText: `${second} is disconnected.` }).waitFor();
    await list(page, 'nobody is here');
    await page.locator('#sockets-result', { hasText: 'There is no socket.' }).waitFor();
    await list(page, '', '/nowhere');
    await page.locator('#sockets-result', { hasText: 'namespace: ' }).waitFor();
  });

  test('a list of many sockets has pages', async (t) => {
    await Promise.all(Array.from({ length: 30 }, () => client(t, ['many'])));
    const page = await open();
    await page.locator('#rooms button', { hasText: 'many' }).click();
    await page.locator('#sockets-result', { hasText: '25 sockets, and more.' }).waitFor();
    assert.equal(await page.getByLabel('Room (empty: all)').inputValue(), 'many');
    await page.getByRole('button', { name: 'More' }).click();
    await page.locator('#sockets-result', { hasText: '30 sockets.' }).waitFor();
    assert.equal(new Set(await page.locator('#sockets .id').allTextContents()).size, 30);
    assert.equal(await page.getByRole('button', { name: 'More' }).isVisible(), false);
  });

  test('the keyboard reaches everything', async (t) => {
    await client(t, ['keys']);
    const page = await open();
    await list(page, 'keys');
    await page.locator('#sockets li').waitFor();
    // Of a group of radio buttons the keyboard reaches the one that is chosen.
    const wanted = await page.evaluate(() => {
      const all = 'a[href], button, input, textarea, summary, [tabindex="0"]';
      const reachable = [...document.querySelectorAll(all)].filter((e) => e.checkVisibility() && !e.disabled && (e.type !== 'radio' || e.checked));
      reachable.forEach((e, i) => (e.dataset.reach = i));
      document.activeElement.blur();
      return reachable.length;
    });
    assert.ok(wanted > 15, `${wanted} elements`);
    const reached = new Set();
    for (let i = 0; i < 2 * wanted && reached.size < wanted; i++) {
      await page.keyboard.press('Tab');
      const at = await page.evaluate(() => {
        const e = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(e);
        return { reach: e.dataset.reach, seen: e === document.body || (outlineStyle !== 'none' && outlineWidth !== '0px'), what: e.outerHTML.slice(0, 80) };
      });
      if (at.reach !== undefined) reached.add(at.reach);
      assert.ok(at.seen, `the focus is not seen on ${at.what}`);
    }
    assert.equal(reached.size, wanted);
  });

  test('the page goes on when the node comes back', async (t) => {
    const first = await serve(suite);
    const page = await open({ at: first.page, expected: /status of 401|ERR_/ });
    process.kill(first.pid, 'SIGTERM');
    await page.locator('#state[data-state="lost"]', { hasText: 'No answer' }).waitFor();
    await serve(t, first.ports);
    await live(page);
  });

  for (const [name, options] of [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['phone', { colorScheme: 'light', viewport: { width: 375, height: 750 }, deviceScaleFactor: 2 }],
    ['phone-dark', { colorScheme: 'dark', viewport: { width: 375, height: 750 }, deviceScaleFactor: 2 }],
  ]) {
    test(`it is usable: ${name}`, async (t) => {
      await client(t, ['a-room-with-a-very-long-name-that-has-no-place-to-break-and-must-not-widen-the-page', 'r'.repeat(120)]);
      const page = await open(options);
      await list(page, '');
      await page.locator('#sockets li').first().waitFor();
      await page.getByText('The same as a table').click();
      await page.locator('#rooms li').first().waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'nothing is wider than the window');
      assert.deepEqual(await violations(page), []);
      await shoot(page, name);
    });
  }
});
