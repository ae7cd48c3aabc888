// Shows one session: message over the picture, quality menu, figures. Reads the session, never changes it.

import { byId, setText } from './dom.js';
import { bitrate, qualityLabel, seconds } from './format.js';
import { coversPicture, describe } from './status.js';

const BADGES = {
  playing: 'Live',
  paused: 'Paused',
  buffering: 'Buffering',
  waiting: 'Waiting',
  opening: 'Connecting',
  reconnecting: 'Reconnecting',
  ended: 'Ended',
  failed: 'Error',
  blocked: 'Ready',
  idle: '',
};

/** What the page and `window.headwater` show, read from a session and its video element. */
export function snapshot(session) {
  const { engine, video, stalls } = session;
  const qualities = engine?.qualities() ?? [];
  const current = qualities.find((q) => q.index === engine.current()) ?? null;
  return {
    state: session.state,
    reason: session.reason,
    sourceProblem: session.sourceProblem,
    qualities,
    current,
    selected: engine?.selected() ?? -1,
    isLive: engine?.isLive() ?? false,
    atLiveEdge: engine?.atLiveEdge() ?? false,
    latency: engine?.latency() ?? null,
    buffer: bufferAhead(video),
    muted: video.muted,
    stalls: { count: stalls.count, longestSeconds: stalls.longestMs / 1_000, totalSeconds: stalls.totalMs / 1_000 },
  };
}

export function showPlayer(now) {
  const player = byId('player');
  player.dataset.state = now.state;
  player.dataset.live = String(now.isLive);
  showMessage(now);
  byId('source-problem').hidden = !now.sourceProblem;
  setText(byId('source-problem-text'), now.sourceProblem);
  const badge = byId('badge');
  badge.dataset.state = now.state === 'playing' && now.isLive ? 'live' : now.state;
  setText(badge, now.state === 'playing' && !now.isLive ? 'Playing' : BADGES[now.state]);
  byId('unmute').hidden = !(now.muted && now.state === 'playing');
  byId('go-live').hidden = !now.isLive || now.atLiveEdge;
  showQualities(now);
  showFigures(now);
}

function showMessage({ state, reason }) {
  const { title, detail, action, busy } = describe(state, reason);
  const covered = coversPicture(state);
  byId('overlay').hidden = !covered;
  // Controls that cannot be seen must not take the focus either.
  byId('video').controls = !covered || state === 'buffering';
  byId('spinner').hidden = !busy;
  setText(byId('status-title'), title);
  setText(byId('status-detail'), detail);
  setText(byId('status-action'), action);
  byId('status-action').hidden = !action;
  setText(byId('announcer'), [title, detail].filter(Boolean).join('. '));
}

/** Options are rebuilt only when they change: a menu that is open must stay as it is. */
function showQualities({ qualities, current, selected }) {
  const menu = byId('quality');
  const wanted = JSON.stringify(qualities);
  if (menu.dataset.options !== wanted) {
    menu.dataset.options = wanted;
    menu.replaceChildren(new Option('Auto', '-1'), ...qualities.map((q) => new Option(qualityLabel(q), String(q.index))));
  }
  menu.disabled = qualities.length < 2;
  menu.dataset.current = current?.name ?? '';
  const automatic = current && selected === -1 ? `Auto (${current.name})` : 'Auto';
  if (menu.options.length) setText(menu.options[0], automatic);
  if (document.activeElement !== menu || menu.value === '') menu.value = String(selected);
}

function showFigures({ current, latency, buffer, isLive, state }) {
  const size = current?.width ? `${current.name} (${current.width}×${current.height})` : current?.name;
  setText(byId('stat-quality'), size ?? '–');
  setText(byId('stat-bitrate'), bitrate(current?.bitrate));
  setText(byId('stat-latency'), isLive && state !== 'ended' ? seconds(latency ?? NaN) : '–');
  setText(byId('stat-buffer'), seconds(buffer));
}

function bufferAhead({ buffered, currentTime }) {
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime + 0.1 && currentTime <= buffered.end(i)) return buffered.end(i) - currentTime;
  }
  return 0;
}
