// Asks once whether a stream can be played now, and reads the answer. `verdict` is pure.

/** A problem's text is shown to people: one sentence, not a page. */
const MAX_REASON_CHARS = 160;
/** Longer than the slowest origin of the edge takes, failover included. */
const TIMEOUT_MS = 10_000;

/**
 * What an HTTP answer means: `found` (with the playlist's text), `absent` (not live: keep looking),
 * `refused` (looking again will not help) or `unreachable` (trouble on the way).
 */
export function verdict(status, body) {
  if (status === 200) return body.startsWith('#EXTM3U') ? { kind: 'found', body } : { kind: 'unreachable' };
  if (status === 404 || status === 410) return { kind: 'absent' };
  if (status === 401 || status === 403) return { kind: 'refused', reason: reasonOf(body) };
  return { kind: 'unreachable' };
}

/** The `detail` or `title` of a problem document (RFC 9457), as plain text; empty if the body is none. */
export function reasonOf(body) {
  try {
    const { detail, title } = JSON.parse(body);
    const text = [detail, title].find((t) => typeof t === 'string' && t.trim()) ?? '';
    return text.trim().replaceAll(/\s+/g, ' ').slice(0, MAX_REASON_CHARS);
  } catch {
    return '';
  }
}

export async function probe(url, signal) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });
    return verdict(answer.status, await answer.text());
  } catch {
    return { kind: 'unreachable' };
  }
}
