// Asks once whether a stream can be played now, and reads the answer. `verdict` is pure.

/** A problem's text is shown to people: one sentence, not a page. */
const MAX_REASON_CHARS = 160;
/** What is wrong with a source has two: what is wrong, and what to do. The edge sends at most 256 bytes. */
const MAX_PROBLEM_CHARS = 256;
/** Session data that says what is wrong with the source. The value ends at its quote: nothing in it can be one. */
const SOURCE_PROBLEM = /^#EXT-X-SESSION-DATA:DATA-ID="headwater\.source-problem",VALUE="([^"]*)"/m;
/** Longer than the slowest origin of the edge takes, failover included. */
const TIMEOUT_MS = 10_000;

/**
 * What an HTTP answer means: `found` (with the playlist's text), `absent` (not live: keep looking),
 * `refused` (looking again will not help) or `unreachable` (trouble on the way). The first two also say what is wrong
 * with what the encoder sends; empty if nothing is.
 */
export function verdict(status, body) {
  if (status === 200 && body.startsWith('#EXTM3U')) return { kind: 'found', body, sourceProblem: problemInPlaylist(body) };
  if (status === 200) return { kind: 'unreachable' };
  if (status === 404 || status === 410) return { kind: 'absent', sourceProblem: problemInAnswer(body) };
  if (status === 401 || status === 403) return { kind: 'refused', reason: reasonOf(body) };
  return { kind: 'unreachable' };
}

/** The `detail` or `title` of a problem document (RFC 9457), as plain text; empty if the body is none. */
export function reasonOf(body) {
  const { detail, title } = documentOf(body);
  return line([detail, title].find((t) => typeof t === 'string' && t.trim()) ?? '', MAX_REASON_CHARS);
}

function problemInAnswer(body) {
  const { source_problem: problem } = documentOf(body);
  return typeof problem === 'string' ? line(problem, MAX_PROBLEM_CHARS) : '';
}

function problemInPlaylist(body) {
  return line(SOURCE_PROBLEM.exec(body)?.[1] ?? '', MAX_PROBLEM_CHARS);
}

/** The members of a JSON object; none if the body is something else. */
function documentOf(body) {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

function line(text, maxChars) {
  return text.trim().replaceAll(/\s+/g, ' ').slice(0, maxChars);
}

export async function probe(url, signal) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });
    return verdict(answer.status, await answer.text());
  } catch {
    return { kind: 'unreachable' };
  }
}
