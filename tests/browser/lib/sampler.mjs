// Runs inside the page, before any of its scripts: watches the video element from outside the player, so that what the
// player says about itself is checked and not believed. `install` is sent as text: it can use nothing of this module.

export function install() {
  if (window !== window.top) return;
  const EVERY_MS = 100;
  /** Below this, standing still cannot be told from a late timer. */
  const SHORTEST_STALL_MS = 300;
  const seen = { playedSeconds: 0, stalls: [], jumps: [], latencies: [], states: [], startedMs: null, now: 0 };
  window.testSampler = seen;
  let last = null;
  let stillMs = 0;
  let nextLatencyMs = 0;

  const note = (list, entry) => list.length < 10_000 && list.push(entry);

  function closeStall(now) {
    if (stillMs >= SHORTEST_STALL_MS) note(seen.stalls, { atMs: Math.round(now - stillMs), seconds: stillMs / 1_000 });
    stillMs = 0;
  }

  setInterval(() => {
    const player = window.headwater?.player;
    const video = document.querySelector('video');
    if (!player || !video) return;
    const now = performance.now();
    if (seen.states.at(-1)?.state !== player.state) note(seen.states, { atMs: Math.round(now), state: player.state });
    const at = video.currentTime;
    if (last) measure(now - last.now, at - last.at, player, now, last.at, at);
    last = { now, at };
    seen.now = now;
    seen.openStallSeconds = stillMs >= SHORTEST_STALL_MS ? stillMs / 1_000 : 0;
  }, EVERY_MS);

  function measure(elapsedMs, movedSeconds, player, now, from, to) {
    const elapsed = elapsedMs / 1_000;
    // Playback is at most twice as fast as time, give or take a late timer; anything else is a seek.
    const jumped = movedSeconds < 0 || movedSeconds > 2 * elapsed + 0.5;
    if (jumped) note(seen.jumps, { atMs: Math.round(now), from, to });
    const moved = jumped ? 0 : movedSeconds;
    if (moved > 0 && seen.startedMs === null) seen.startedMs = now;
    if (seen.startedMs === null) return;
    seen.playedSeconds += moved;
    const wantsToPlay = !['paused', 'ended', 'idle', 'failed'].includes(player.state);
    if (wantsToPlay && moved < 0.2 * elapsed) stillMs += elapsedMs;
    else closeStall(now);
    if (player.latency !== null && now >= nextLatencyMs) {
      note(seen.latencies, player.latency);
      nextLatencyMs = now + 1_000;
    }
  }
}
