// Plays a stream with hls.js. Reports what happens as `report(event, detail)`; must not know the page or its texts.
//
// Events: `interrupted` (no new media for too long, or the network failed), `lost` (give up: find the stream anew),
// `broken` (the media cannot be decoded), `reattached` (the decoder was replaced, and the video element starts paused),
// `ended` (nothing more will come and all of it was played), `changed`.

import Hls from './hls.min.mjs';
import { LiveFollower } from './follow.js';
import { qualityName } from './format.js';
import { backoffMs } from './backoff.js';

/** Tries of one playlist before hls.js gives up on it: with these delays about 20 s, longer than a region's failover. */
const MAX_PLAYLIST_TRIES = 12;
/** Tries of one segment: about 6 s, then another quality may have it. */
const MAX_SEGMENT_TRIES = 5;
/** Restarts of loading without any picture in between, before the stream is looked for anew. */
const MAX_RESTARTS = 4;
/** Media errors within a minute that are worth another decoder. */
const MAX_RECOVERIES = 4;
/** Faster than this, speech sounds wrong. */
const CATCH_UP_RATE = 1.25;
/** What a stall adds to the distance from the live edge; after three of them a network has half a second more room. */
const STALL_COSTS_SECONDS = 0.2;
const TICK_MS = 500;

/** hls.js takes 4xx and refused connections as final. Behind a CDN that fails over they pass, so only repetition is. */
function loadPolicy(tries, firstByteMs, wholeMs) {
  const retry = {
    maxNumRetry: tries,
    retryDelayMs: 500,
    // Short, because the buffer is: what was out for a while must be noticed within seconds of its return.
    maxRetryDelayMs: 2_000,
    backoff: 'exponential',
    shouldRetry: (policy, count) => Boolean(policy) && count < policy.maxNumRetry,
  };
  return { default: { maxTimeToFirstByteMs: firstByteMs, maxLoadTimeMs: wholeMs, timeoutRetry: retry, errorRetry: retry } };
}

const CONFIG = {
  workerPath: new URL('./hls.worker.js', import.meta.url).href,
  // Without these two a player stays as far behind as its longest stall left it.
  lowLatencyMode: true,
  maxLiveSyncPlaybackRate: CATCH_UP_RATE,
  // Each stall moves the target back so far, for good. The default of a second would end low latency with the first.
  liveSyncOnStallIncrease: STALL_COSTS_SECONDS,
  backBufferLength: 30,
  capLevelToPlayerSize: true,
  enableInterstitialPlayback: false,
  errorPenaltyExpireMs: 30_000,
  playlistLoadPolicy: loadPolicy(MAX_PLAYLIST_TRIES, 8_000, 12_000),
  fragLoadPolicy: loadPolicy(MAX_SEGMENT_TRIES, 8_000, 30_000),
};

export function hlsIsSupported() {
  return Hls.isSupported();
}

export function createHlsEngine(video, url, report) {
  const hls = new Hls(CONFIG);
  const follower = new LiveFollower();
  const abort = new AbortController();
  let restarts = 0;
  let recoveries = [];
  let newMediaAt = performance.now();
  let restartTimer;
  let attached = false;

  const details = () => hls.latestLevelDetails ?? null;
  const isLive = () => Boolean(details()?.live);
  // From the edge as estimated now; hls.latency is of the last time update, so it is old after a pause.
  const behind = () => (hls.liveSyncPosition ?? 0) - video.currentTime;
  const range = () => LiveFollower.range(hls.targetLatency, details()?.targetduration ?? 0);

  hls.on(Hls.Events.LEVEL_UPDATED, (_, { details: updated }) => {
    if (updated.advanced || !updated.live) newMediaAt = performance.now();
    report('changed');
  });
  hls.on(Hls.Events.MEDIA_ATTACHED, () => {
    // hls.js also replaces the decoder without asking, when an append fails.
    if (attached) report('reattached');
    attached = true;
  });
  hls.on(Hls.Events.LEVEL_SWITCHED, () => report('changed'));
  hls.on(Hls.Events.MANIFEST_PARSED, () => report('changed'));
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.NETWORK_ERROR) return restartLoading(data);
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && mayRecover()) return hls.recoverMediaError();
    report('broken', data.details);
  });

  function restartLoading(data) {
    const atTheRoot = [Hls.ErrorDetails.MANIFEST_LOAD_ERROR, Hls.ErrorDetails.MANIFEST_LOAD_TIMEOUT];
    if (atTheRoot.includes(data.details) || restarts >= MAX_RESTARTS) return report('lost');
    clearTimeout(restartTimer);
    restartTimer = setTimeout(() => hls.startLoad(), backoffMs(restarts, Math.random()));
    restarts += 1;
  }

  function mayRecover() {
    const now = performance.now();
    recoveries = recoveries.filter((at) => now - at < 60_000);
    recoveries.push(now);
    return recoveries.length <= MAX_RECOVERIES;
  }

  function goLive() {
    const edge = hls.liveSyncPosition;
    if (edge === null) return;
    follower.caughtUp();
    if (Math.abs(edge - video.currentTime) > 1) video.currentTime = edge;
  }

  function tick() {
    if (!isLive() || video.ended) return;
    const patience = 1_000 * Math.max(6, 3 * details().targetduration);
    const dry = video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    if (dry && performance.now() - newMediaAt > patience) report('interrupted');
    if (!dry && !video.paused && follower.shouldJump(behind(), range(), performance.now())) goLive();
  }

  const on = (name, listener) => video.addEventListener(name, listener, { signal: abort.signal });
  on('timeupdate', () => {
    // Progress of the picture, not of a download: sound alone may still load while every picture fails.
    if (video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA) restarts = 0;
  });
  on('pause', () => follower.paused());
  on('play', () => follower.moved(behind(), range()));
  on('seeked', () => follower.moved(behind(), range()));
  on('ended', () => report('ended'));
  const ticker = setInterval(tick, TICK_MS);

  hls.attachMedia(video);
  hls.loadSource(url);

  return {
    goLive,
    /** `index` is a position in `qualities()`'s `index`; -1 leaves the choice to hls.js. */
    select(index) {
      hls.nextLevel = index;
    },
    /** Best first. */
    qualities() {
      return hls.levels
        .map((level, index) => ({
          index,
          name: qualityName(level),
          width: level.width,
          height: level.height,
          bitrate: level.averageBitrate || level.bitrate,
        }))
        .sort((a, b) => b.height - a.height || b.bitrate - a.bitrate);
    },
    /** Index of what is on the screen now, -1 before anything is. */
    current: () => hls.currentLevel,
    selected: () => (hls.autoLevelEnabled ? -1 : hls.manualLevel),
    isLive,
    /** Seconds since what is on the screen was captured, where the stream says so; else since the live edge. */
    latency() {
      if (!isLive()) return null;
      const sinceCapture = (Date.now() - hls.playingDate?.getTime()) / 1_000;
      return sinceCapture >= 0 && sinceCapture < 86_400 ? sinceCapture : hls.latency;
    },
    atLiveEdge: () => isLive() && behind() <= range(),
    destroy() {
      abort.abort();
      clearInterval(ticker);
      clearTimeout(restartTimer);
      hls.destroy();
    },
  };
}
