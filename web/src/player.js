// The page's entry: wires address, list, session and views. Everything it decides is which stream is watched.

import { byId, setText } from './dom.js';
import { LIVE_STREAMS, isStreamId, playbackUrl, readStreamId, streamOfAddress } from './ids.js';
import { showStreams } from './list-view.js';
import { showPlayer, snapshot } from './player-view.js';
import { Session } from './session.js';
import { watchStreams } from './stream-list.js';

const FIGURES_MS = 500;

const video = byId('video');
let watched = null;
let session = null;
let list = { state: 'loading', streams: [] };

function show() {
  if (session) showPlayer(snapshot(session));
}

function showList() {
  showStreams(list, watched);
  const name = list.streams.find((s) => s.id === watched)?.name ?? watched;
  setText(byId('player-title'), name ?? '');
  document.title = name ? `${name} · Headwater` : 'Headwater';
}

function watch(id) {
  session?.stop();
  watched = id;
  document.body.dataset.view = id ? 'watch' : 'home';
  byId('player').hidden = !id;
  session = null;
  if (id) {
    const url = playbackUrl(id, location.origin);
    byId('playback-url').value = url;
    session = new Session(video, url, show);
    session.run();
    show();
  } else {
    byId('player').dataset.state = 'idle';
  }
  showList();
}

/** Watches what the address names; one that names no stream says so in the form. */
function followAddress() {
  const { id, invalid } = streamOfAddress(location.search);
  showInputError(invalid !== undefined);
  byId('stream-input').value = invalid ?? '';
  if (!id || id !== watched) watch(id ?? null);
}

function goTo(id) {
  if (id !== watched) history.pushState(null, '', id ? `?stream=${id}` : location.pathname);
  followAddress();
}

function showInputError(isWrong) {
  byId('stream-input').toggleAttribute('aria-invalid', isWrong);
  byId('input-error').hidden = !isWrong;
}

byId('open-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const id = readStreamId(byId('stream-input').value);
  if (id) goTo(id);
  else showInputError(true);
});

// Links stay links (new tab, copy address); a plain click only changes what is watched.
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href^="?stream="], a.brand');
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const id = streamOfAddress(link.search).id ?? null;
  if (id !== null && !isStreamId(id)) return;
  event.preventDefault();
  goTo(id);
});

byId('quality').addEventListener('change', (event) => {
  session?.engine?.select(Number(event.target.value));
  show();
});
byId('go-live').addEventListener('click', () => {
  session?.engine?.goLive();
  session?.play();
});
byId('unmute').addEventListener('click', () => {
  video.muted = false;
  byId('video').focus();
});
byId('status-action').addEventListener('click', () => {
  if (session?.state === 'blocked') session.play();
  else watch(watched);
});
byId('copy').addEventListener('click', async () => {
  const field = byId('playback-url');
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    setText(byId('copy'), 'Copied');
  } catch {
    // No clipboard without HTTPS: the address is selected, the keyboard does the rest.
    setText(byId('copy'), 'Press Ctrl+C');
  }
  setTimeout(() => setText(byId('copy'), 'Copy'), 2_000);
});

/**
 * For tests and the curious: what the player is doing, read at the moment of asking. Nothing here changes anything.
 * state, reason, sourceProblem, qualities [{index, name, width, height, bitrate}], current (one of them or null),
 * selected (index or -1 for auto), isLive, atLiveEdge, latency (s or null), buffer (s), muted,
 * stalls {count, longestSeconds, totalSeconds}, stream (id or null), list {state, streams}.
 */
Object.defineProperty(window, 'headwater', {
  value: Object.freeze({
    get player() {
      return session ? { ...snapshot(session), stream: watched } : { state: 'idle', stream: null };
    },
    get list() {
      return structuredClone(list);
    },
  }),
});

setInterval(show, FIGURES_MS);
addEventListener('popstate', followAddress);
followAddress();
watchStreams(LIVE_STREAMS, new AbortController().signal, (update) => {
  list = update;
  showList();
});
