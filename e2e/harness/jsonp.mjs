// As much of a browser's document as the JSONP transport of the client 2.x needs: scripts that are loaded and run, and
// forms that are posted into an iframe.

import http from 'node:http';
import vm from 'node:vm';

/** Every request that was made, as {method, status, type, body}. */
export const requests = [];

class Element {
  style = {};
  children = [];

  constructor(tag) {
    this.tag = tag.toLowerCase();
  }

  setAttribute(name, value) {
    this[name] = value;
  }

  appendChild(child) {
    child.parentNode = this;
    this.children.push(child);
    if (child.tag === 'script') load(child);
    return child;
  }

  removeChild(child) {
    this.children = this.children.filter((c) => c !== child);
    child.parentNode = null;
    child.removed?.();
    return child;
  }

  /** Posts a form as browsers do: each field encoded, its line ends made CR LF. */
  submit() {
    const area = this.children.find((c) => c.name);
    const value = area.value.replace(/\r\n|\r|\n/g, '\r\n');
    const body = new URLSearchParams({ [area.name]: value }).toString();
    const frame = () => this.children.find((c) => c.tag.includes('iframe'));
    send('POST', this.action, body, () => frame()?.onload?.(), () => {});
  }
}

function load(script) {
  const abort = send('GET', script.src, undefined, (answer) => {
    if (!script.parentNode) return;
    if (answer.status !== 200) script.onerror(answer);
    else vm.runInThisContext(answer.body);
  }, (err) => script.parentNode && script.onerror(err));
  script.removed = abort;
}

function send(method, url, body, done, failed) {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/x-www-form-urlencoded' };
  const req = http.request(url, { method, headers, agent: false }, (res) => {
    const chunks = [];
    res.on('data', (chunk) => chunks.push(chunk));
    res.once('error', failed);
    res.once('end', () => {
      const answer = {
        method, status: res.statusCode, type: res.headers['content-type'], body: Buffer.concat(chunks).toString('utf8'),
      };
      requests.push(answer);
      done(answer);
    });
  });
  req.once('error', failed);
  req.end(body);
  return () => {}; // browsers finish the loading of a script that was taken out
}

/** Puts the document in place for the whole process. */
export function installDocument() {
  const body = new Element('body');
  globalThis.document = { body, head: body, createElement: (tag) => new Element(tag), getElementsByTagName: () => [] };
}
