// Whether a viewer is following the live edge, and when to bring them back to it. Pure.
//
// hls.js plays faster while the latency is less than (target + one target duration) above its target. Beyond that it
// takes the viewer for one who watches the past. After a long stall that is wrong: they never asked to. So we jump
// those, and only those, to the edge.

export class LiveFollower {
  #following = true;
  #beyondSince = null;

  /** How far behind its target (s) hls.js still catches up by itself. */
  static range(target, segmentSeconds) {
    return target + segmentSeconds;
  }

  get following() {
    return this.#following;
  }

  /** The viewer paused: where they go on is where they want to be. */
  paused() {
    this.#following = false;
    this.#beyondSince = null;
  }

  /** The viewer moved or resumed: near the edge means that they follow it. */
  moved(behind, range) {
    this.#following = behind <= range;
    this.#beyondSince = null;
  }

  /** The viewer asked for the edge, or was brought there. */
  caughtUp() {
    this.#following = true;
    this.#beyondSince = null;
  }

  /** Whether to jump now: out of range for two seconds, so that a single bad estimate moves nobody. */
  shouldJump(behind, range, nowMs) {
    if (!this.#following || !(behind > range)) {
      this.#beyondSince = null;
      return false;
    }
    this.#beyondSince ??= nowMs;
    return nowMs - this.#beyondSince >= 2_000;
  }
}
