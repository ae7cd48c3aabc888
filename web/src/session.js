// Watching one stream until told to stop: find it, play it, and when it is lost find it again. Owns the video element
// meanwhile. Must not know the page: it tells `onChange` that its `state` changed, and the page reads.

import { backoffMs, pause } from './backoff.js';
import { createHlsEngine, hlsIsSupported } from './engine-hls.js';
import { createNativeEngine, nativeHlsIsSupported } from './engine-native.js';
import { broadcastOf } from './ids.js';
import { probe } from './probe.js';
import { Stalls } from './stalls.js';
import { next } from './status.js';

/** Decoders that failed in a row without half a minute of playback between: then it is not chance. */
const MAX_BREAKS = 3;
const STEADY_SECONDS = 30;
/** After the end, how often to look for the next broadcast. */
const NEXT_BROADCAST_MS = 10_000;
/**
 * While it plays, how often to look whether the source has a problem. The streamer who looks at this page is to read within
 * ten seconds that a track cannot be used, and it takes gateway and transcoder up to six to find out.
 */
const SOURCE_MS = 3_000;

export class Session {
  state = 'idle';
  reason = '';
  /** What is wrong with what the encoder sends, in words; empty if nothing is. */
  sourceProblem = '';
  stalls = new Stalls();
  #abort = new AbortController();
  #engine = null;
  #playedBroadcast = null;
  #breaks = 0;
  /** Whether the viewer wants it to play. The element's own `paused` is also true after its source was replaced. */
  #wanted = true;

  constructor(video, url, onChange) {
    this.video = video;
    this.url = url;
    this.onChange = onChange;
  }

  get engine() {
    return this.#engine;
  }

  /** Runs until `stop()`, the end of all tries, or an answer that forbids. */
  async run() {
    this.#listen();
    this.#apply('open');
    this.#watchSource();
    let outcome = '';
    while (!this.#abort.signal.aborted && this.state !== 'failed') {
      const found = await this.#find(outcome === 'ended');
      if (!found) break;
      outcome = await this.#play(found);
      if (outcome === 'broken' && ++this.#breaks >= MAX_BREAKS) this.#apply('failed');
      if (outcome !== 'ended') this.#dropEngine();
    }
  }

  stop() {
    this.#abort.abort();
    this.#dropEngine();
    this.#apply('close');
  }

  /** Asks the browser to play: with sound, else without, else leaves it to a click. */
  async play() {
    try {
      await this.video.play();
    } catch (error) {
      if (error.name !== 'NotAllowedError') return;
      if (this.video.muted) return this.#apply('blocked');
      this.video.muted = true;
      await this.play();
    }
  }

  /**
   * The multivariant playlist's text, once there is one to play. `null` when stopped or refused. After the end only
   * the next broadcast counts, and only while the viewer is not watching the last one again.
   */
  async #find(afterEnd) {
    const { signal } = this.#abort;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const { kind, body, reason, sourceProblem } = await probe(this.url, signal);
      if (signal.aborted) return null;
      if (!afterEnd) this.#tellSource(sourceProblem);
      if (kind === 'found' && (!afterEnd || (this.state === 'ended' && this.#isNext(body)))) {
        this.#apply('found');
        return body;
      }
      if (!afterEnd) {
        this.#apply(kind, reason);
        if (kind === 'refused') return null;
      }
      await pause(afterEnd ? NEXT_BROADCAST_MS : backoffMs(attempt, Math.random()), signal);
    }
    return null;
  }

  /** Asks again while something plays: players read the multivariant playlist once. */
  async #watchSource() {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await pause(SOURCE_MS, signal);
      if (signal.aborted || !['playing', 'buffering', 'paused'].includes(this.state)) continue;
      const { sourceProblem } = await probe(this.url, signal);
      if (!signal.aborted && this.state !== 'ended') this.#tellSource(sourceProblem);
    }
  }

  /** An answer that cannot tell changes nothing. */
  #tellSource(problem) {
    if (problem === undefined || problem === this.sourceProblem) return;
    this.sourceProblem = problem;
    this.onChange();
  }

  #isNext(body) {
    const broadcast = broadcastOf(body, this.url);
    return broadcast !== null && broadcast !== this.#playedBroadcast;
  }

  /** Resolves with how it went: `ended`, `lost` or `broken`; `stopped` if we were. */
  #play(multivariant) {
    this.#dropEngine();
    this.#playedBroadcast = broadcastOf(multivariant, this.url);
    const create = hlsIsSupported() ? createHlsEngine : nativeHlsIsSupported(this.video) ? createNativeEngine : null;
    if (!create) {
      this.#apply('failed', 'This browser can play neither HLS nor MediaSource. A current browser can.');
      return Promise.resolve('stopped');
    }
    return new Promise((resolve) => {
      this.#abort.signal.addEventListener('abort', () => resolve('stopped'), { once: true });
      this.#engine = create(this.video, this.url, (event) => {
        if (event === 'lost' || event === 'broken') {
          this.#apply('interrupted');
          resolve(event);
        } else if (event === 'reattached') {
          this.#apply('stalled');
          if (this.#wanted) this.play();
        } else {
          this.#apply(event);
          if (event === 'ended') resolve(event);
        }
      });
      if (this.#wanted) this.play();
    });
  }

  #listen() {
    const { video } = this;
    const on = (name, listener) => video.addEventListener(name, listener, { signal: this.#abort.signal });
    on('playing', () => this.#apply('playing'));
    on('play', () => (this.#wanted = true));
    on('pause', () => {
      // A decoder that gives up pauses too, and so may losing the source; neither is the viewer's wish.
      if (video.ended || video.error || video.readyState === HTMLMediaElement.HAVE_NOTHING || !this.#engine) return;
      this.#wanted = false;
      this.#apply('paused');
    });
    on('waiting', () => video.seeking || video.ended || this.#apply('stalled'));
    on('volumechange', () => this.onChange());
    on('timeupdate', () => {
      if (video.paused || video.seeking || video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) return;
      if (this.state !== 'playing') this.#apply('playing');
      if (this.#breaks && video.played.length && playedSeconds(video) > STEADY_SECONDS) this.#breaks = 0;
    });
  }

  #apply(event, reason = event === 'changed' ? this.reason : '') {
    const state = next(this.state, event);
    const playing = state === 'playing';
    const wasPlaying = this.state === 'playing';
    if (wasPlaying && ['buffering', 'reconnecting'].includes(state)) this.stalls.begin(performance.now());
    if (playing || ['paused', 'ended', 'idle'].includes(state)) this.stalls.end(performance.now());
    const changed = state !== this.state || reason !== this.reason || event === 'changed';
    this.state = state;
    this.reason = reason;
    // What has ended has no source any more.
    if (['ended', 'idle', 'failed'].includes(state)) this.sourceProblem = '';
    if (changed) this.onChange();
  }

  #dropEngine() {
    const engine = this.#engine;
    this.#engine = null;
    engine?.destroy();
  }
}

function playedSeconds({ played }) {
  let sum = 0;
  for (let i = 0; i < played.length; i += 1) sum += played.end(i) - played.start(i);
  return sum;
}
