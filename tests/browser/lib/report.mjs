// Turns what was seen into figures, and figures into a verdict. Pure.

export function summarize({ sampler, player, frames, currentTime, now, buffered, videoHeight }, journal, playingMark) {
  const stalls = [...sampler.stalls.map((s) => s.seconds), ...(sampler.openStallSeconds ? [sampler.openStallSeconds] : [])];
  const sorted = sampler.latencies.toSorted((a, b) => a - b);
  return {
    state: player.state,
    states: sampler.states,
    startSeconds: sampler.startedMs === null ? null : sampler.startedMs / 1_000,
    playedSeconds: sampler.playedSeconds,
    currentTime,
    buffered,
    /** When what is shown was captured (unix ms). */
    shownFrom: player.latency === null ? null : Math.round(now - player.latency * 1_000),
    videoHeight,
    quality: player.current?.name ?? null,
    stalls: { count: stalls.length, longestSeconds: Math.max(0, ...stalls), totalSeconds: stalls.reduce((a, b) => a + b, 0), all: sampler.stalls },
    stallsByPlayer: player.stalls,
    jumps: sampler.jumps,
    frames,
    latency: sorted.length
      ? { first: sampler.latencies[0], median: sorted[sorted.length >> 1], longest: sorted.at(-1), last: sampler.latencies.at(-1) }
      : null,
    errors: journal.errors,
    answers4xx5xx: journal.answers,
    afterStart: playingMark ? journal.answers.slice(playingMark.answers) : [],
    count5xx: journal.answers.filter((a) => a.status >= 500).length,
    failedRequests: journal.failures,
    hosts: [...journal.hosts],
    reloads: Math.max(0, journal.loads - 1),
  };
}

/** What did not hold, as sentences; empty if all did. */
export function complaints(report, options) {
  const found = [];
  const s = (seconds) => `${seconds.toFixed(1)} s`;
  found.push(...counted(report.errors.map(({ text }) => `error in the page: ${text}`)));
  if (report.reloads) found.push(`the page was loaded ${report.reloads + 1} times`);
  if (report.hosts.length > 1) found.push(`the page asked other hosts: ${report.hosts.join(', ')}`);
  if (report.stalls.longestSeconds > options.maxStall) {
    found.push(`playback stood still for ${s(report.stalls.longestSeconds)}, allowed are ${s(options.maxStall)}`);
  }
  if (report.count5xx > options.max5xx) found.push(`${report.count5xx} answers were 5xx, allowed are ${options.max5xx}`);
  if (!options.untilFile) {
    found.push(...counted(report.afterStart.map(({ status, url }) => `answer ${status} while playing: ${url}`)));
    found.push(...counted(report.failedRequests.map(({ reason, url }) => `request failed (${reason}): ${url}`)));
    if (report.playedSeconds < options.seconds) found.push(`only ${s(report.playedSeconds)} of media were shown`);
  }
  if (report.endProgressSeconds !== undefined && !report.progressedAtEnd) {
    found.push(`no progress at the end: state ${report.state}, ${s(report.endProgressSeconds)} of media in the last wait`);
  }
  for (const { to, shown, expected, after } of report.switches ?? []) {
    if (!shown) found.push(`quality ${to} was chosen, but the picture is ${after} lines high, not ${expected}`);
  }
  return found;
}

/** The same sentence once, with how often. */
function counted(sentences) {
  const times = new Map();
  for (const sentence of sentences) times.set(sentence, (times.get(sentence) ?? 0) + 1);
  return [...times].map(([sentence, count]) => (count > 1 ? `${sentence} (${count} times)` : sentence));
}
