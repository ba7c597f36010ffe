// The browser, for tests of pages.

import { existsSync } from "node:fs";
import { createServer } from "node:net";

export const CHROMIUM = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"].find((file) => file && existsSync(file));

const BROWSER_FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** What a page shows must come within this time; it waits for what happens, not for the clock. */
export const PATIENCE = 20_000;

/** Why tests of pages are left out; false when there is a browser. */
export const skip = CHROMIUM ? false : "no Chromium at /usr/bin/chromium, /usr/bin/chromium-browser or $CHROMIUM";

/** A browser that keeps its files in a directory. */
export async function launch(home) {
  const { chromium } = await import("playwright-core");
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: BROWSER_FLAGS, env: { ...process.env, HOME: home } });
}

/** A port that nobody uses at the moment. */
export async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
