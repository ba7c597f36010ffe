// docs/events.md, as its reader tries it: its page in a browser, served by another server than the node, and its lines in the
// page. What a line returns is what the comment beside it says.
//
// SIREN_BIN names the binary. CHROMIUM may name a browser; without one the tests are skipped.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PATIENCE, launch, skip } from './harness/browser.mjs';
import { freePort, run } from './harness/program.mjs';
import { eventually } from './harness/wait.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SIREN = path.resolve(HERE, process.env.SIREN_BIN ?? '../bin/siren');
const CDN = 'https://cdn.socket.io/4.8.3/socket.io.esm.min.js';
const CLIENT = path.join(HERE, 'node_modules/socket.io-client-browser/dist/socket.io.esm.min.js');

const text = readFileSync(path.join(HERE, '../docs/events.md'), 'utf8');

/** The blocks of code of a language in a section, or in the whole page. */
function blocks(language, section = '') {
  const part = section ? text.split(/^## /m).find((s) => s.startsWith(section)) : text;
  return [...part.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, code]) => code);
}

/** Code that returns, for each line with a comment of what it returns, both. */
function withResults(code) {
  const pairs = /^await ((?:[^;]|;(?! +\/\/))*); +\/\/ (\{.*\})$/gm;
  return `const results = [];\n${code.replace(pairs, 'results.push([await $1, ($2)]);')}\nreturn results;`;
}

describe('the page about events', { skip }, () => {
  let browser, home;
  before(async () => {
    home = mkdtempSync(path.join(tmpdir(), 'siren-events-'));
    browser = await launch(home);
  });
  after(async () => {
    await browser?.close();
    rmSync(home, { recursive: true, force: true });
  });

  /** A node, a server of the page on another port, and the page in a window. */
  async function open(t, { env = {}, token } = {}) {
    const [port, admin, web] = [await freePort(), await freePort(), await freePort()];
    const ports = (s) => s.replaceAll('localhost:3000', `localhost:${port}`).replaceAll('127.0.0.1:3001', `127.0.0.1:${admin}`)
      .replaceAll('localhost:8000', `localhost:${web}`);
    const html = ports(blocks('html')[0]);
    const pages = http.createServer((request, response) => {
      response.setHeader('Content-Type', request.url === '/' ? 'text/html' : 'text/plain');
      response.end(request.url === '/token' ? token() : html);
    });
    await new Promise((resolve) => pages.listen(web, 'localhost', resolve));
    t.after(() => pages.close());

    const serve = ports(blocks('sh')[0]).trim();
    assert.match(serve, /^siren serve --cors-origin http:\/\/localhost:\d+$/);
    const args = [...serve.split(' ').slice(1), '--addr', `localhost:${port}`, '--admin-listen', `127.0.0.1:${admin}`, '--drain-spread', '0s'];
    const variables = Object.entries(env).map(([k, v]) => `${k}='${v}' `).join('');
    await run(t, '/bin/sh', ['-c', `${variables}exec "$0" "$@" 2>&1`, SIREN, ...args], /siren serves/);

    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const printed = [];
    page.on('console', (message) => printed.push(message.text()));
    await page.route(CDN, (route) => route.fulfill({ path: CLIENT, contentType: 'text/javascript', headers: { 'Access-Control-Allow-Origin': '*' } }));
    await page.goto(`http://localhost:${web}/`);
    const paste = (code) => page.evaluate((source) => Object.getPrototypeOf(async () => {}).constructor(source)(), withResults(code));
    const prints = (line) => eventually(() => printed.some((p) => p.includes(line)), `the console shows ${line}; it has ${printed.slice(-9)}`);
    return { page, paste, prints, ports };
  }

  test('each line returns what the page says', async (t) => {
    const { page, paste, prints, ports } = await open(t);
    await prints('count 1');
    let lines = 0;
    for (const section of ['Connecting', '`join`', '`publish`', '`count`', 'Errors']) {
      for (const code of blocks('js', section)) {
        const results = await paste(code);
        assert.equal(results.length, [...code.matchAll(/\/\/ \{/g)].length, code);
        for (const [got, want] of results) assert.deepEqual(got, want, code);
        lines += results.length;
      }
    }
    assert.ok(lines >= 12, `${lines} results`);
    for (const line of ['headline', 'Hello', '3 4', '5 6', 'To all', 'dot.png 4']) await prints(line);

    execFileSync('sh', ['-c', ports(blocks('sh', 'Events of your own')[0])], { stdio: 'pipe' });
    await prints('From the backend');
    // A client that comes back joins its room again, and everybody has the new count.
    await page.evaluate(() => window.socket.disconnect().connect());
    await prints('gone: io client disconnect');
    await page.waitForFunction(() => document.title === '1 connected');
    await page.waitForFunction(async () => (await window.socket.emitWithAck('publish', { room: 'lobby', event: 'again' })).count === 1);
  });

  test('a token that expires is replaced', async (t) => {
    const [exported, , sign] = blocks('sh', '`token`')[0].trim().split('\n');
    const [, name, secret] = exported.match(/^export (\w+)=(\S+)$/);
    const env = { [name]: secret };
    const token = () => execFileSync(SIREN, sign.split(' ').slice(1), { env: { ...process.env, ...env }, encoding: 'utf8' }).trim();
    const { paste, prints } = await open(t, { env, token });
    await prints('count 1');
    await paste(blocks('js', '`token`')[0]);
    await prints('s are left');
    await prints('{status: ok, expires_in:');
  });
});
