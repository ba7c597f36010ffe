// Waits for events that must happen. Every wait has a deadline, and all of them end at once when the server dies.

/** How long anything may take, in milliseconds. Far above what a busy machine needs: it is paid by failures only. */
export const DEADLINE = 20_000;

const onCrash = new Set();

/** Fails everything that is being waited for. */
export function crashed(error) {
  for (const fail of [...onCrash]) fail(error);
}

/** The promise's result, or an error that says what did not happen in time. */
export function within(promise, what, ms = DEADLINE) {
  return new Promise((resolve, reject) => {
    const end = (settle) => (value) => {
      clearTimeout(timer);
      onCrash.delete(fail);
      settle(value);
    };
    const fail = end(reject);
    const late = new Error(`not within ${ms} ms: ${what}`);
    // The server's process keeps this one alive; an abandoned wait must not.
    const timer = setTimeout(() => fail(late), ms).unref();
    onCrash.add(fail);
    promise.then(end(resolve), fail);
  });
}

/** The arguments of an emitter's next event of that name. */
export function next(emitter, event, ms) {
  return within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), `event "${event}"`, ms);
}

/** Asks again and again until the answer is no longer null or false. */
export async function eventually(ask, what, ms = DEADLINE) {
  const until = performance.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (performance.now() > until) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(3);
  }
}

/** A pause that sets the pace of traffic; nothing may depend on its length. */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A growing list that can be waited for. */
export class Log {
  items = [];
  #waiting = new Set();

  push(item) {
    this.items.push(item);
    for (const check of [...this.#waiting]) check();
  }

  get length() {
    return this.items.length;
  }

  /** Resolves with the items as soon as `done(items)` holds. */
  until(done, what, ms) {
    let check;
    const met = new Promise((resolve) => {
      check = () => done(this.items) && resolve(this.items);
      this.#waiting.add(check);
      check();
    });
    return within(met, what, ms).finally(() => this.#waiting.delete(check)).catch((err) => {
      const last = JSON.stringify(this.items.slice(-3))?.slice(0, 400);
      err.message += ` (${this.items.length} items, the last of them ${last})`;
      throw err;
    });
  }

  /** Resolves with the items when there are n of them. */
  count(n, what = `${n} items`, ms) {
    return this.until((items) => items.length >= n, what, ms);
  }
}
