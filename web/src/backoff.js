// How long to wait before the next try. `backoffMs` is pure; `pause` only waits.

const FIRST_MS = 1_000;
const GROWTH = 1.5;
/** A stream that starts is found within this time; 8 s also keeps a thousand waiting pages from being a load. */
const LONGEST_MS = 8_000;
/** Spread, so that pages that lost their server together do not come back together. */
const JITTER = 0.25;

/** `attempt` counts from 0; `random` is in [0, 1). */
export function backoffMs(attempt, random) {
  const plain = Math.min(LONGEST_MS, FIRST_MS * GROWTH ** Math.min(attempt, 20));
  return Math.round(plain * (1 - JITTER + 2 * JITTER * random));
}

/** Resolves after `ms`, or earlier when the network comes back or the signal is aborted. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.('online', done);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    globalThis.addEventListener?.('online', done);
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
  });
}
