// No sticky sessions: three nodes behind HAProxy with `balance roundrobin`, so that the requests of one client come to
// all of them. SIREN_BIN names the binary.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import io2 from 'socket.io-client-2';
import { Child } from './harness/cluster.mjs';
import { installDocument } from './harness/jsonp.mjs';
import { accepting, directory, freePort, installed, run } from './harness/program.mjs';
import { eventually, next, within } from './harness/wait.mjs';

installDocument();

const SIREN = path.resolve(fileURLToPath(new URL('.', import.meta.url)), process.env.SIREN_BIN ?? '../bin/siren');

const HAPROXY = (ports, own) => `
global
    maxconn 2000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
    option redispatch
    retries 3
frontend clients
    bind 127.0.0.1:${own}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /healthz
    default-server inter 200ms fall 1 rise 1 on-marked-down shutdown-sessions
${ports.map((port, i) => `    server n${i} 127.0.0.1:${port} check`).join('\n')}
`;

/** Three nodes behind a balancer. */
class Site {
  nodes = [];

  async start(t) {
    const dir = directory(t);
    const secret = path.join(dir, 'secret');
    writeFileSync(secret, 'a secret that all nodes of the test know');
    const peers = [];
    for (let i = 0; i < 3; i++) peers.push(`127.0.0.1:${await freePort()}`);
    for (const listen of peers) {
      const [port, admin] = [await freePort(), await freePort()];
      const config = path.join(dir, `node${port}.yaml`);
      writeFileSync(config, `
listen: ["127.0.0.1:${port}"]
admin: {listen: "127.0.0.1:${admin}"}
engine: {allow_eio3: true, ping_interval: 60s}
drain: {spread: 0s}
forward: {listen: "${listen}", secret_file: ${secret}, peers: ${JSON.stringify(peers)}}
namespaces: [{name: "/", publish: true, join: true}]
`);
      const child = new Child(SIREN, ['serve', '--config', config]);
      this.nodes.push({ child, port, admin });
    }
    t.after(async () => {
      for (const { child } of this.nodes) if (child.running) await child.end();
    });
    for (const node of this.nodes) {
      await accepting(node.port);
      await eventually(async () => {
        const text = await metrics(node);
        return text.includes('siren_cluster_forward_peers{state="up"} 2');
      }, 'the nodes know each other');
    }
    this.port = await freePort();
    const file = path.join(dir, 'haproxy.cfg');
    writeFileSync(file, HAPROXY(this.nodes.map((n) => n.port), this.port));
    await run(t, 'haproxy', ['-f', file]);
    await accepting(this.port);
    return this;
  }

  connect(t, client, options) {
    // Without an agent each request has a connection of its own, and so a node of its own.
    const socket = client(`http://127.0.0.1:${this.port}`, { forceNew: true, reconnection: false, agent: false, ...options });
    t.after(() => socket.disconnect());
    return Promise.race([
      next(socket, 'connect').then(() => socket),
      next(socket, 'connect_error').then(([err]) => Promise.reject(err)),
    ]);
  }

  /** The sum of a counter over the nodes that run. */
  async count(pattern) {
    let sum = 0;
    for (const node of this.nodes.filter((n) => n.child.running)) {
      for (const [, n] of (await metrics(node)).matchAll(pattern)) sum += Number(n);
    }
    return sum;
  }
}

function metrics(node) {
  return new Promise((resolve, reject) => {
    http.get(`http://127.0.0.1:${node.admin}/metrics`, { agent: false }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk) => { text += chunk; }).once('end', () => resolve(text)).once('error', reject);
    }).once('error', () => resolve(''));
  });
}

const ask = (socket, ...args) => within(new Promise((resolve) => socket.emit(...args, resolve)), `the answer to ${args[0]}`);

const SETTINGS = [
  { name: 'polling', client: io, options: { transports: ['polling'] } },
  { name: 'polling, then upgrade', client: io, options: {}, ends: 'websocket' },
  { name: 'websocket', client: io, options: { transports: ['websocket'] } },
  { name: '2.x, polling', client: io2, options: { transports: ['polling'] } },
  { name: '2.x, JSONP', client: io2, options: { transports: ['polling'], forceJSONP: true } },
  { name: '2.x, upgrade', client: io2, options: {}, ends: 'websocket' },
];

const skip = installed('haproxy') ? false : 'haproxy is not installed';

describe('three nodes behind a balancer without sticky sessions', { skip }, () => {
  let site;
  const ends = [];
  before(async () => { site = await new Site().start({ after: (fn) => ends.unshift(fn) }); });
  after(async () => { for (const end of ends) await end(); });

  for (const { name, client, options, ends: transport } of SETTINGS) {
    test(`events, acknowledgements and binary data [${name}]`, async (t) => {
      const socket = await site.connect(t, client, options);
      if (transport) await eventually(() => socket.io.engine.transport.name === transport, 'the upgrade');
      assert.deepEqual(await ask(socket, 'join', 'r'), { status: 'ok' });
      for (let i = 0; i < 10; i++) {
        const data = { text: 'ünï'.repeat(1 + 300 * i), file: Buffer.from([0, 255, i]), i };
        const heard = next(socket, 'news');
        const answer = await ask(socket, 'publish', { room: 'r', event: 'news', data });
        assert.equal(answer.status, 'ok');
        const [got] = await heard;
        assert.deepEqual({ ...got, file: Buffer.from(got.file) }, data);
      }
      assert.equal(socket.connected, true);
    });
  }

  test('requests came to other nodes, and none failed', async () => {
    assert.ok(await site.count(/siren_cluster_forward_requests_total\{direction="sent"\} (\d+)/g) > 20);
    assert.ok(await site.count(/siren_cluster_forward_websockets_total (\d+)/g) > 0);
    assert.equal(await site.count(/siren_cluster_forward_failed_total\{reason="\w+"\} (\d+)/g), 0);
  });

  test('clients of a killed node come back elsewhere, the others notice nothing', async (t) => {
    const clients = [];
    for (let i = 0; i < 12; i++) {
      const socket = await site.connect(t, io, { transports: ['polling'], reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
      const client = { socket, lost: 0 };
      socket.on('disconnect', () => { client.lost += 1; });
      clients.push(client);
    }
    for (const { socket } of clients) assert.deepEqual(await ask(socket, 'join', 'r'), { status: 'ok' });
    // Each client has a GET that waits. Those of other nodes' clients that came to the victim are cut with it.
    const total = async (pattern) => (await Promise.all(site.nodes.map(async (n) => Number((await metrics(n)).match(pattern)?.[1])))).reduce((a, b) => a + b);
    const victim = site.nodes[0];
    const told = await metrics(victim);
    const own = Number(told.match(/siren_connections\{[^}]*polling[^}]*\} (\d+)/)[1]);
    const passing = Number(told.match(/siren_cluster_forward_under_way\{kind="request"\} (\d+)/)[1]);
    assert.ok(own > 0 && own < 12, `the victim has ${own} of 12 clients`);
    assert.equal(await total(/siren_connections\{[^}]*polling[^}]*\} (\d+)/), 12);
    await victim.child.end('SIGKILL');
    const lost = () => clients.filter((c) => c.lost > 0).length;
    await eventually(() => lost() >= own, 'the clients of the killed node to notice');
    await eventually(() => clients.every((c) => c.socket.connected), 'all clients to be connected');
    for (const { socket } of clients) assert.deepEqual(await ask(socket, 'join', 's'), { status: 'ok' });
    assert.ok(lost() <= own + passing, `${lost()} clients were disturbed: ${own} of the victim, ${passing} whose GET was there`);
  });
});
