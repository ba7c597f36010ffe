// The commands of docs/bench.md, block by block as a reader runs them: a profile for `siren serve`, one for a chat on the
// reference server, one for python-socketio where it is installed. The servers' ports are other ones.
//
// SIREN_BIN names the binary. SCREENSHOTS may name a directory for pictures of the page.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, skip } from './harness/browser.mjs';
import { accepting, directory, freePort, run } from './harness/program.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SIREN = path.resolve(HERE, process.env.SIREN_BIN ?? '../bin/siren');
const PAGE = readFileSync(path.join(HERE, '../docs/bench.md'), 'utf8');
// Runs take 7 to 22 s by themselves.
const LONG = 120_000;

/** The blocks of a language below a heading. */
function blocks(language, heading) {
  const [, section] = PAGE.match(new RegExp(`\n##+ ${heading}\n([^]*?)(?=\n##+ |$)`));
  return [...section.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, 'g'))].map(([, code]) => code);
}

/** A directory with the examples and with siren on the path, and what runs the lines of a block there. */
function desk(t, port) {
  const dir = directory(t);
  mkdirSync(path.join(dir, 'bin'));
  symlinkSync(SIREN, path.join(dir, 'bin/siren'));
  cpSync(path.join(HERE, '../examples/bench'), path.join(dir, 'examples/bench'), { recursive: true });
  const env = { ...process.env, PATH: `${path.join(dir, 'bin')}:${process.env.PATH}` };
  const sh = (block) => {
    const command = block.replaceAll(/(siren bench run \S+)/g, `$1 --url http://127.0.0.1:${port}`);
    const { status, stdout, stderr } = spawnSync('sh', ['-ec', command], { cwd: dir, env, encoding: 'utf8', timeout: LONG });
    return { status, text: stdout + stderr };
  };
  return { dir, sh, env };
}

/** The thresholds about times are the machine's affair; all about messages must hold. */
function holds({ text }) {
  assert.match(text, /threshold ok +missing == 0: it is 0/, text);
  for (const line of text.matchAll(/threshold FAILED +(.*)/g)) assert.match(line[1], /^(p99|connect_p95) </, text);
  assert.match(text, /\ndelivered +[1-9]/, text);
}

test('a first run, and what it writes', async (t) => {
  const port = await freePort();
  await run(t, SIREN, ['serve', '--addr', `127.0.0.1:${port}`, '--admin-listen', '', '--drain-spread', '0s']);
  await accepting(port);
  const { dir, sh } = desk(t, port);
  const [serve, first] = blocks('sh', 'A first run');
  assert.equal(serve.trim(), 'siren serve');
  holds(sh(first));
  const [outputs] = blocks('sh', 'What it writes');
  holds(sh(outputs));
  const junit = readFileSync(path.join(dir, 'run.xml'), 'utf8');
  assert.match(junit, /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites tests="\d+" failures="\d+">/);
  assert.match(readFileSync(path.join(dir, 'run.txt'), 'utf8'), /# EOF\n$/);
  assert.equal(JSON.parse(readFileSync(path.join(dir, 'run.json'), 'utf8')).scenario.name, 'profile');

  await t.test('the page on a phone, in the light and in the dark', { skip }, async (t) => {
    const browser = await launch(directory(t));
    t.after(() => browser.close());
    const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [360, 1280]) {
        const context = await browser.newContext({ viewport: { width, height: 740 }, colorScheme, bypassCSP: true });
        t.after(() => context.close());
        const page = await context.newPage();
        await page.goto(`file://${path.join(dir, 'run.html')}`);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true, `${width} wide`);
        if (process.env.SCREENSHOTS) {
          await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `bench-${colorScheme}-${width}.png`), fullPage: true });
        }
        await page.addScriptTag({ path: axe });
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`), []);
      }
    }
  });
});

test("Node's chat", async (t) => {
  const port = await freePort();
  const { dir, sh } = desk(t, port);
  const [install, start, bench] = blocks('sh', 'Node.js');
  assert.equal(install.trim(), 'npm install socket.io');
  symlinkSync(path.join(HERE, 'node_modules'), path.join(dir, 'node_modules'));
  writeFileSync(path.join(dir, 'chat.mjs'), blocks('js', 'Node.js')[0]);
  assert.equal(start.trim(), 'node chat.mjs');
  await run(t, 'env', [`PORT=${port}`, process.execPath, path.join(dir, 'chat.mjs')]);
  await accepting(port);
  holds(sh(bench));
});

const PYTHON = spawnSync('python3', ['-c', 'import socketio, aiohttp']).status === 0;

test("python-socketio's latency example", { skip: !PYTHON && 'no python3-socketio' }, async (t) => {
  const port = await freePort();
  const { dir, sh } = desk(t, port);
  const [start, bench] = blocks('sh', 'Python');
  writeFileSync(path.join(dir, 'latency.py'), blocks('python', 'Python')[0]);
  assert.equal(start.trim(), 'python3 latency.py');
  await run(t, 'env', [`PORT=${port}`, 'python3', path.join(dir, 'latency.py')]);
  await accepting(port);
  holds(sh(bench));
});
