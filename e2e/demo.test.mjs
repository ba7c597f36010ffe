// The demo page of `siren serve` in a real browser: two windows that see each
// other, rooms, both transports, a server that restarts.
//
// SIREN_BIN names the binary. CHROMIUM may name a browser; without one the
// tests are skipped. SCREENSHOTS may name a directory for pictures.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { PATIENCE, freePort, launch, skip } from "./harness/browser.mjs";
import { eventually } from "./harness/wait.mjs";

/** `siren serve` on one port; it can be stopped and started again. */
class Server {
  log = "";

  constructor(port, ...flags) {
    this.port = port;
    this.flags = flags;
    this.url = `http://127.0.0.1:${port}/`;
  }

  async start() {
    const child = spawn(process.env.SIREN_BIN, ["serve", "--addr", `127.0.0.1:${this.port}`, "--admin-listen", "", "--drain-spread", "0s", ...this.flags], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    this.exit = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    this.exit.catch(() => {});
    this.child = child;
    for (const end = Date.now() + PATIENCE; ; ) {
      if (child.exitCode !== null) throw new Error(`siren serve ended with ${child.exitCode}:\n${this.log}`);
      if (await this.healthy()) return;
      if (Date.now() > end) throw new Error(`siren serve does not answer:\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async healthy() {
    try {
      const response = await fetch(`${this.url}healthz`, { signal: AbortSignal.timeout(1000) });
      return response.ok && (await response.text()).trim() === "ok";
    } catch {
      return false;
    }
  }

  async stop() {
    if (!this.child) return null;
    this.child.kill("SIGTERM");
    const end = await this.exit;
    this.child = null;
    return end;
  }
}

describe("demo page", { skip }, () => {
  let browser, profile, server, contexts, faults;

  before(async () => {
    assert.ok(process.env.SIREN_BIN, "SIREN_BIN must name the siren binary");
    profile = await mkdtemp(path.join(tmpdir(), "siren-demo-"));
    browser = await launch(profile);
    server = new Server(await freePort());
    await server.start();
    contexts = [];
    faults = [];
  });

  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    assert.deepEqual(faults.splice(0), []);
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    if (profile) await rm(profile, { recursive: true, force: true });
  });

  /**
   * Opens the page in a context of its own. What the page reports as an error fails the test. With `away` the server will
   * go: requests of a session that it has ended, or that it does not take any more, are refused.
   */
  async function open({ hash = "", prepare = async () => {}, name, away = false, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1024, height: 720 }, ...options });
    contexts.push(context);
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => {
      // The browser logs failed connections while the server is away.
      const expected = away ? /ERR_|WebSocket connection to|status of (400|503)/ : /ERR_|WebSocket connection to/;
      if (message.type() === "error" && !expected.test(message.text())) faults.push(message.text());
    });
    await prepare(page);
    await page.goto(server.url + hash);
    await ready(page);
    if (name) await page.getByLabel("Your name").fill(name);
    return page;
  }

  const ready = (page) => page.locator("#send:not([disabled])").waitFor();
  const say = async (page, text) => {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };
  const message = (page, text) => page.getByRole("log").locator(".message", { hasText: text });
  const count = (page, n) => page.locator("#count", { hasText: new RegExp(`^${n}$`) }).waitFor();
  const state = (page) => page.locator("#state-text").textContent();
  const moveTo = async (page, room) => {
    await page.getByLabel("Room").fill(room);
    await page.getByRole("button", { name: "Switch" }).click();
    await page.waitForFunction((r) => document.title.startsWith(`${r} `), room);
    await ready(page);
  };
  const shoot = async (page, name) => {
    if (process.env.SCREENSHOTS) await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`) });
  };

  test("two windows count and see each other", async () => {
    const anna = await open({ name: "Anna" });
    await count(anna, 1);
    await shoot(anna, "empty");
    const ben = await open({ name: "Ben" });
    await count(anna, 2);
    await count(ben, 2);
    assert.equal(await state(anna), "Connected · WebSocket");

    await say(anna, "Hello from the first window");
    const seen = message(ben, "Hello from the first window");
    await seen.waitFor();
    assert.equal(await seen.locator(".sender").textContent(), "Anna");
    assert.match(await seen.locator("time").textContent(), /^\d{1,2}:\d{2}/);
    assert.match(await seen.locator("time").getAttribute("datetime"), /^\d{4}-\d{2}-\d{2}T/);
    await say(ben, "And back");
    await message(anna, "And back").waitFor();
    assert.equal(await message(anna, "Hello from").count(), 1, "the sender sees its message once");
    assert.equal(await anna.getByLabel("Message", { exact: true }).inputValue(), "");

    await ben.close();
    await count(anna, 1);
  });

  test("a room is apart from the others", async () => {
    const [anna, ben] = [await open({ hash: "#one" }), await open({ hash: "#one" })];
    await say(anna, "for room one");
    await message(ben, "for room one").waitFor();
    await moveTo(ben, "two");
    assert.equal(await message(ben, "for room one").count(), 0, "the other room's messages are gone");
    await say(anna, "not for ben");
    await message(anna, "not for ben").waitFor();
    await moveTo(anna, "two");
    await say(anna, "for room two");
    await message(ben, "for room two").waitFor();
    assert.equal(await message(ben, "not for ben").count(), 0);
    assert.match(ben.url(), /#two$/);
    await ben.goBack();
    await ready(ben);
    assert.equal(await ben.getByLabel("Room").inputValue(), "one");
  });

  test("text stays text", async () => {
    const [anna, ben] = [await open({ name: "<b>Anna</b>" }), await open()];
    const text = `<img src=x onerror="document.title='broken'"><script>1</script>`;
    await say(anna, text);
    const seen = message(ben, "onerror");
    await seen.waitFor();
    assert.equal(await seen.locator(".body").textContent(), text);
    assert.equal(await seen.locator(".sender").textContent(), "<b>Anna</b>");
    assert.equal(await seen.locator("img, script, b").count(), 0);
    assert.match(await ben.title(), /Siren/);
  });

  for (const [how, prepare] of [
    ["has no WebSocket", (page) => page.addInitScript(() => delete window.WebSocket)],
    ["cannot open one", (page) => page.routeWebSocket(/./, (ws) => ws.close({ code: 1011 }))],
  ]) {
    test(`a page that ${how} polls`, async () => {
      const [anna, ben] = [await open({ prepare, name: "Anna" }), await open({ name: "Ben" })];
      assert.equal(await state(anna), "Connected · long-polling");
      await count(anna, 2);
      for (const n of [1, 2, 3]) await say(anna, `over polling ${n}`);
      await message(ben, "over polling 3").waitFor();
      assert.deepEqual(await ben.locator(".body").allTextContents(), ["over polling 1", "over polling 2", "over polling 3"]);
      await say(ben, "to polling");
      await message(anna, "to polling").waitFor();
      await anna.goto("about:blank");
      await count(ben, 1);
    });
  }

  test("the lines behind the page do what the page does", async () => {
    const anna = await open({ hash: "#a\"room" });
    await anna.getByText("The lines behind this page").click();
    const lines = await anna.locator("#lines").textContent();
    const printed = [];
    let socket;
    const connect = () => (socket = io(server.url, { forceNew: true }));
    try {
      new Function("io", "console", lines)(connect, { log: (...values) => printed.push(values.join(" ")) });
      await message(anna, "Hello").waitFor();
      await count(anna, 2);
      await say(anna, "And hello to you");
      await message(anna, "And hello").waitFor();
      await eventually(() => printed.some((line) => line.endsWith("And hello to you")), "the lines print the message");
      assert.ok(printed.includes("2 connections"), printed.join("\n"));
    } finally {
      socket?.disconnect();
    }
  });

  for (const [name, options] of [
    ["light", { colorScheme: "light" }],
    ["phone-dark", { colorScheme: "dark", viewport: { width: 375, height: 700 } }],
  ]) {
    test(`the lines are readable: ${name}`, async () => {
      const page = await open(options);
      await page.getByText("The lines behind this page").click();
      await page.locator("#lines").waitFor();
      await shoot(page, `lines-${name}`);
      assert.deepEqual(await lowContrast(page), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the window");
      await say(page, "still there");
      await message(page, "still there").waitFor();
    });
  }

  test("the keyboard is enough", async () => {
    const [anna, ben] = [await open({ hash: "#keys" }), await open({ hash: "#keys" })];
    await anna.keyboard.press("Tab");
    assert.equal(await anna.evaluate(() => document.activeElement.id), "room");
    await anna.keyboard.press("Tab");
    assert.equal(await anna.evaluate(() => document.activeElement.id), "room-switch");
    await anna.keyboard.press("Tab");
    assert.equal(await anna.evaluate(() => document.activeElement.id), "name");
    await anna.keyboard.type("Kay");
    await anna.keyboard.press("Tab");
    await anna.keyboard.press("Tab");
    assert.equal(await anna.evaluate(() => document.activeElement.id), "text");
    await anna.keyboard.type("typed");
    await anna.keyboard.press("Enter");
    await message(ben, "typed").waitFor();
    assert.equal(await message(ben, "typed").locator(".sender").textContent(), "Kay");
  });

  for (const [transport, prepare] of [
    ["WebSocket", async () => {}],
    ["long-polling", (page) => page.addInitScript(() => delete window.WebSocket)],
  ]) {
    test(`the page comes back when the server does, over ${transport}`, async () => {
      const page = await open({ prepare, hash: "#back", away: true });
      await say(page, "before");
      await message(page, "before").waitFor();
      assert.deepEqual(await server.stop(), { code: 0, signal: null });
      await page.locator('#state[data-state="waiting"]').waitFor();
      assert.equal(await page.locator("#send").isDisabled(), true);
      await shoot(page, "lost");
      await server.start();
      await ready(page);
      await count(page, 1);
      assert.equal(await state(page), `Connected · ${transport}`);
      await say(page, "after");
      await message(page, "after").waitFor();
      assert.equal(await message(page, "before").count(), 1, "what was there stays");
    });
  }

  test("a long conversation scrolls, and says so", async () => {
    const [anna, ben] = [await open({ hash: "#long" }), await open({ hash: "#long", viewport: { width: 390, height: 700 } })];
    for (let n = 0; n < 30; n++) await say(anna, `line ${n}`);
    await message(ben, "line 29").waitFor();
    const log = ben.getByRole("log");
    const distance = () => log.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight);
    assert.ok((await distance()) < 5, "it follows the newest message");
    await log.evaluate((e) => (e.scrollTop = 0));
    await say(anna, "one more");
    await ben.getByRole("button", { name: "New messages" }).click();
    await message(ben, "one more").waitFor();
    assert.ok((await distance()) < 5);
    assert.equal(await ben.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "nothing is wider than the phone");
  });

  for (const [name, options] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["phone", { colorScheme: "light", viewport: { width: 375, height: 700 }, deviceScaleFactor: 2 }],
    ["phone-dark", { colorScheme: "dark", viewport: { width: 375, height: 700 }, deviceScaleFactor: 2 }],
  ]) {
    test(`it is readable: ${name}`, async () => {
      const [anna, ben, cleo] = [await open({ name: "Anna" }), await open({ name: "Ben", ...options }), await open({ name: "Cleo" })];
      await say(anna, "Is anybody out there?");
      await message(ben, "out there").waitFor();
      await say(ben, "Loud and clear.");
      await message(ben, "Loud").waitFor();
      await say(cleo, "Same here, from the lighthouse. The message went once to the server and from there to each of us.");
      await message(ben, "lighthouse").waitFor();
      await say(cleo, "https://example.com/a/very/long/address/that/has/no/place/to/break/and/still/must/not/widen/the/page");
      await message(ben, "https").waitFor();
      await say(ben, "It holds 👍");
      await message(ben, "It holds").waitFor();
      await count(ben, 3);
      await shoot(ben, name);
      assert.deepEqual(await lowContrast(ben), []);
    });
  }

  /** The texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3). */
  function lowContrast(page) {
    return page.evaluate(() => {
      const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
      };
      const colour = (text) => text.match(/[\d.]+/g).map(Number);
      const behind = (node) => {
        for (; node; node = node.parentElement) {
          const c = colour(getComputedStyle(node).backgroundColor);
          if (c.length < 4 || c[3] === 1) return c;
        }
        return [255, 255, 255];
      };
      const found = [];
      for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some((c) => c.nodeType === Node.TEXT_NODE && c.data.trim());
        if ((!own && node.tagName !== "INPUT") || !node.checkVisibility() || node.disabled) continue;
        const [a, b] = [luminance(colour(getComputedStyle(node).color)), luminance(behind(node))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
      }
      return found;
    });
  }
});
