// The example programs in a real browser, each in two windows.
//
// CHAT_BIN and LIVELIST_BIN name the binaries (default ../bin/chat and ../bin/livelist). CHROMIUM may name a browser;
// without one the tests are skipped. SCREENSHOTS may name a directory for pictures.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PATIENCE, freePort, launch, skip } from "./harness/browser.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** One of the programs on one port; it can be stopped and started again. */
class Program {
  log = "";

  constructor(name, port) {
    this.file = path.resolve(HERE, process.env[`${name.toUpperCase()}_BIN`] ?? `../bin/${name}`);
    this.port = port;
    this.url = `http://127.0.0.1:${port}/`;
  }

  async start() {
    this.child = spawn(this.file, ["-addr", `127.0.0.1:${this.port}`], { stdio: ["ignore", "ignore", "pipe"] });
    this.child.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    this.exit = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("exit", resolve);
    });
    this.exit.catch(() => {});
    for (const end = Date.now() + PATIENCE; ; ) {
      if (this.child.exitCode !== null) throw new Error(`${this.file} ended: ${this.log}`);
      try {
        if ((await fetch(this.url, { signal: AbortSignal.timeout(1000) })).ok) return;
      } catch {
        // Not yet.
      }
      if (Date.now() > end) throw new Error(`${this.file} does not answer: ${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop() {
    this.child.kill("SIGTERM");
    assert.equal(await this.exit, 0, this.log);
  }
}

describe("examples", { skip }, () => {
  let browser, profile;

  before(async () => {
    profile = await mkdtemp(path.join(tmpdir(), "siren-examples-"));
    browser = await launch(profile);
  });

  after(async () => {
    await browser?.close();
    if (profile) await rm(profile, { recursive: true, force: true });
  });

  /** Starts a program, and gives what opens windows on it. What a page reports as an error fails the test. */
  async function serve(t, name) {
    const program = new Program(name, await freePort());
    const faults = [];
    await program.start();
    t.after(async () => {
      await program.stop();
      assert.deepEqual(faults, []);
    });
    const open = async (options = {}) => {
      const context = await browser.newContext({ viewport: { width: 900, height: 680 }, ...options });
      t.after(() => context.close());
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("console", (message) => {
        // The browser logs failed connections while the server is away.
        if (message.type() === "error" && !/ERR_|WebSocket connection to|status of (400|503)/.test(message.text())) faults.push(message.text());
      });
      await page.goto(program.url);
      return page;
    };
    return { program, open };
  }

  async function shoot(page, name) {
    if (process.env.SCREENSHOTS) await page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`) });
  }

  const phone = { viewport: { width: 375, height: 680 }, colorScheme: "dark" };
  const narrow = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

  test("chat: sign in, rooms, messages, typing, people, a restart", async (t) => {
    const { program, open } = await serve(t, "chat");
    const [ann, ben] = [await open(), await open(phone)];
    const signIn = async (page, name) => {
      await page.getByLabel("Your name").fill(name);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.locator("#send:not([disabled])").waitFor();
    };
    const say = async (page, text) => {
      await page.getByLabel("Message", { exact: true }).fill(text);
      await page.getByRole("button", { name: "Send" }).click();
    };
    const message = (page, text) => page.getByRole("log").locator(".message", { hasText: text });
    const people = (page, text) => page.locator("#people", { hasText: text }).waitFor();

    await shoot(ann, "chat-sign-in");
    await signIn(ann, "Ann");
    await people(ann, "only you");
    await signIn(ben, "Ben");
    await people(ann, "2 people");
    await people(ben, "2 people");
    await say(ann, "Is <b>anybody</b> there?");
    await message(ben, "Is <b>anybody</b> there?").waitFor();
    assert.equal(await message(ben, "Ann ·").count(), 1, "it has its sender's name");

    await ben.getByLabel("Message", { exact: true }).pressSequentially("Loud and clear");
    await ann.getByText("Ben is typing…").waitFor();
    await shoot(ann, "chat");
    await ben.getByRole("button", { name: "Send" }).click();
    await message(ann, "Loud and clear").waitFor();
    await ann.waitForFunction(() => document.getElementById("typing").textContent === "");
    await shoot(ben, "chat-phone");
    assert.ok(await narrow(ben), "nothing is wider than the phone");

    await ben.getByLabel("Room").fill("harbour");
    await ben.getByRole("button", { name: "Enter" }).click();
    await people(ann, "only you");
    await people(ben, "only you");

    // A restarted server knows no token: the page gets a new one by itself, and rejoins its room.
    await program.stop();
    await ann.locator('#state[data-state="waiting"]').waitFor();
    await program.start();
    await ann.locator("#send:not([disabled])").waitFor();
    await ben.locator("#send:not([disabled])").waitFor();
    assert.equal(await ben.getByLabel("Room").inputValue(), "harbour");
    await say(ann, "Still here");
    await message(ann, "Still here").waitFor();
  });

  test("live list: create, delete, errors, a reconnect", async (t) => {
    const { program, open } = await serve(t, "livelist");
    const [ann, ben] = [await open(), await open(phone)];
    const add = async (page, title) => {
      await page.getByLabel("New item").fill(title);
      await page.getByRole("button", { name: "Add" }).click();
    };
    const item = (page, title) => page.getByRole("listitem").filter({ hasText: title });

    await add(ann, "milk");
    await item(ben, "milk").waitFor();
    await add(ben, "<i>bread</i>");
    await item(ann, "<i>bread</i>").waitFor();
    await add(ann, "   ");
    await ann.getByRole("alert").getByText("a title has 1 to 80 characters").waitFor();
    await shoot(ann, "livelist");
    await shoot(ben, "livelist-phone");
    assert.ok(await narrow(ben), "nothing is wider than the phone");
    await ben.getByRole("button", { name: "Delete milk" }).click();
    await item(ann, "milk").waitFor({ state: "detached" });

    // The list is in the server's memory. Pages show the new server's list, not the old one.
    await program.stop();
    await ann.getByText("Connection lost").waitFor();
    assert.equal(await item(ann, "bread").count(), 1, "what was there stays meanwhile");
    await program.start();
    await item(ann, "bread").waitFor({ state: "detached" });
    await ann.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    await ben.getByRole("status").getByText("Connected", { exact: true }).waitFor();
    await add(ann, "tea");
    await item(ben, "tea").waitFor();
  });
});
