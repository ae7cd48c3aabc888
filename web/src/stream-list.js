// The list of live streams: reading it from hostile JSON (pure), and asking for it calmly.

import { backoffMs, pause } from './backoff.js';
import { isStreamId } from './ids.js';

/** More than a page can usefully show. */
const MAX_STREAMS = 200;
const MAX_NAME_CHARS = 120;
/** A character that is seen by itself: no mark, space, joiner, filler, nor the empty Braille pattern. */
const SEEN = /[^\p{M}\p{Cc}\p{Cf}\p{Z}\p{Default_Ignorable_Code_Point}\u2800\ufffc]/u;
const STATES = ['starting', 'live', 'reconnecting'];
const POLL_MS = 10_000;
const TIMEOUT_MS = 10_000;

/** Entries that are whole and being broadcast, oldest first as the server gives them. Throws if it is no list at all. */
export function readStreams(json) {
  const streams = json?.streams;
  if (!Array.isArray(streams)) throw new TypeError('not a list of streams');
  return streams
    .filter((s) => s && isStreamId(s.id) && STATES.includes(s.state))
    .slice(0, MAX_STREAMS)
    .map(({ id, name, state, started_at }) => ({ id, name: cleanName(name) || id, state, startedMs: timeOf(started_at) }));
}

function cleanName(name) {
  if (typeof name !== 'string') return '';
  // The API takes no such names any more. Control and direction-changing characters could make one entry look like another,
  // and what nobody can see cannot be clicked.
  const clean = name.replaceAll(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, ' ').trim();
  return SEEN.test(clean) ? clean.slice(0, MAX_NAME_CHARS) : '';
}

/** Unix milliseconds, from those or from ISO 8601. */
function timeOf(value) {
  return typeof value === 'number' ? value : Date.parse(value);
}

/** Calls `show({ state: 'ready' | 'empty' | 'unavailable', streams })` for as long as the signal lets it. */
export async function watchStreams(url, signal, show) {
  let streams = [];
  for (let failures = 0; !signal.aborted; ) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      streams = readStreams(await answer.json());
      failures = 0;
      show({ state: streams.length ? 'ready' : 'empty', streams });
    } catch {
      if (signal.aborted) return;
      failures += 1;
      // What was live a moment ago most likely still is: keep it, but say that it may be old.
      show({ state: 'unavailable', streams });
    }
    await pause(failures ? Math.max(POLL_MS / 2, backoffMs(failures, Math.random())) : POLL_MS, signal);
    await visible(signal);
  }
}

/** A page nobody looks at asks nothing. */
function visible(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    document.addEventListener('visibilitychange', done);
    signal.addEventListener('abort', done);
  });
}
