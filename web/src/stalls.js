// Counts how often and how long playback stood still, as the viewer felt it. Pure: time is handed in.

export class Stalls {
  #since = null;
  count = 0;
  totalMs = 0;
  longestMs = 0;

  begin(nowMs) {
    if (this.#since !== null) return;
    this.#since = nowMs;
    this.count += 1;
  }

  end(nowMs) {
    if (this.#since === null) return;
    const ms = nowMs - this.#since;
    this.#since = null;
    this.totalMs += ms;
    this.longestMs = Math.max(this.longestMs, ms);
  }
}
