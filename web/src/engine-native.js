// Plays a stream with the browser's own HLS, where there is no MediaSource (older iPhones). Same interface as
// engine-hls.js; the browser keeps qualities to itself.

/** A reload of the source that brings nothing for this long means that the stream has to be found anew. */
const STALL_LIMIT_MS = 15_000;

export function nativeHlsIsSupported(video) {
  return video.canPlayType('application/vnd.apple.mpegurl') !== '';
}

export function createNativeEngine(video, url, report) {
  const abort = new AbortController();
  let stalledAt = null;
  const on = (name, listener) => video.addEventListener(name, listener, { signal: abort.signal });

  const isLive = () => video.duration === Infinity;
  const edge = () => (video.seekable.length ? video.seekable.end(video.seekable.length - 1) : null);
  const behind = () => (edge() === null ? 0 : edge() - video.currentTime);

  on('ended', () => report('ended'));
  on('error', () => report(video.error?.code === MediaError.MEDIA_ERR_NETWORK ? 'lost' : 'broken', video.error?.message));
  on('loadedmetadata', () => report('changed'));
  on('resize', () => report('changed'));
  for (const name of ['waiting', 'stalled']) on(name, () => (stalledAt ??= performance.now()));
  for (const name of ['playing', 'timeupdate']) on(name, () => (stalledAt = null));
  const ticker = setInterval(() => {
    if (stalledAt !== null && !video.paused && performance.now() - stalledAt > STALL_LIMIT_MS) report('lost');
  }, 1_000);

  video.src = url;

  return {
    goLive() {
      if (edge() !== null) video.currentTime = edge();
    },
    select() {},
    qualities: () => [],
    current: () => -1,
    selected: () => -1,
    isLive,
    latency() {
      const started = video.getStartDate?.().getTime();
      const sinceCapture = (Date.now() - started) / 1_000 - video.currentTime;
      return isLive() && sinceCapture >= 0 && sinceCapture < 86_400 ? sinceCapture : null;
    },
    atLiveEdge: () => isLive() && behind() < 20,
    destroy() {
      abort.abort();
      clearInterval(ticker);
      video.removeAttribute('src');
      video.load();
    },
  };
}
