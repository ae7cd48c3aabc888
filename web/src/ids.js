// Stream ids and the addresses made of them. Pure; must not touch the document or the network.

/** 12 characters of lowercase Crockford base32: no i, l, o, u. */
const STREAM_ID = /^[0-9a-hjkmnp-tv-z]{12}$/;

/** Where the list of live streams is. */
export const LIVE_STREAMS = '/live/index.json';

/** Longer input is not an id somebody typed, nor a playback URL. */
const MAX_INPUT_CHARS = 300;

export function isStreamId(value) {
  return typeof value === 'string' && STREAM_ID.test(value);
}

/**
 * The id in what a person typed or pasted: an id, a playback URL or the address of this page. `null` if there is none.
 * Crockford's rule for typing errors applies to bare ids: o is 0, i and l are 1.
 */
export function readStreamId(input) {
  const text = String(input).trim();
  if (text.length > MAX_INPUT_CHARS) return null;
  const inUrl = /\/live\/([^/?#]+)\//.exec(text) ?? /[?&]stream=([^&#]+)/.exec(text);
  const bare = (inUrl ? inUrl[1] : text).toLowerCase().replaceAll('o', '0').replaceAll(/[il]/g, '1');
  return isStreamId(bare) ? bare : null;
}

/** The id a page address asks for: `{ id }`, `{ invalid }` or `{}`. */
export function streamOfAddress(search) {
  const asked = new URLSearchParams(search).get('stream');
  if (asked === null) return {};
  const id = readStreamId(asked);
  return id ? { id } : { invalid: asked.slice(0, 40) };
}

export function playbackUrl(id, origin) {
  if (!isStreamId(id)) throw new TypeError('not a stream id');
  return new URL(`/live/${id}/index.m3u8`, origin).href;
}

/**
 * Which broadcast the multivariant playlist at `address` belongs to, from the path of its media playlists
 * (`/<region>/playlists/<broadcast>/<rendition>.m3u8`, `/<region>/low-latency/…`). `null` if the paths are not of that form.
 */
export function broadcastOf(multivariant, address) {
  const reference = /^[^#\s].*$/m.exec(multivariant)?.[0];
  if (!reference || !URL.canParse(reference, address)) return null;
  return /\/(?:playlists|low-latency)\/([^/]+)\//.exec(new URL(reference, address).pathname)?.[1] ?? null;
}
