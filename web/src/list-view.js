// Shows the list of live streams. Must not know how it is asked for.

import { byId, make, setText } from './dom.js';
import { since } from './format.js';

const BADGES = { live: 'Live', starting: 'Starting', reconnecting: 'Reconnecting' };

export function showStreams({ state, streams }, watchedId) {
  const section = byId('streams');
  section.dataset.state = state;
  section.dataset.count = String(streams.length);
  byId('streams-empty').hidden = state !== 'empty';
  const note = state === 'unavailable' ? 'The list cannot be reached right now. Trying again.' : '';
  setText(byId('streams-note'), note);
  byId('streams-note').hidden = !note;
  render(byId('stream-list'), streams, watchedId);
}

/** Keeps the elements that stay, so that neither focus nor a screen reader's place is lost at each poll. */
function render(list, streams, watchedId) {
  const old = new Map([...list.children].map((item) => [item.dataset.id, item]));
  for (const [position, stream] of streams.entries()) {
    const item = old.get(stream.id) ?? create(stream.id);
    old.delete(stream.id);
    if (list.children[position] !== item) list.insertBefore(item, list.children[position] ?? null);
    fill(item, stream, stream.id === watchedId);
  }
  for (const item of old.values()) item.remove();
}

function create(id) {
  const facts = make('span', 'entry-facts', make('span', 'badge'), make('span', 'entry-since'));
  const link = make('a', 'entry', make('span', 'entry-name'), facts);
  link.href = `?stream=${id}`;
  const item = make('li', '', link);
  item.dataset.id = id;
  return item;
}

function fill(item, stream, isWatched) {
  const link = item.firstChild;
  if (isWatched) link.setAttribute('aria-current', 'true');
  else link.removeAttribute('aria-current');
  const badge = item.querySelector('.badge');
  badge.dataset.state = stream.state;
  setText(badge, BADGES[stream.state]);
  setText(item.querySelector('.entry-name'), stream.name);
  setText(item.querySelector('.entry-since'), since(stream.startedMs, Date.now()));
}
