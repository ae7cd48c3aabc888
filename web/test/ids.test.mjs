// Ids come from addresses, forms and servers: only real ones may pass.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { LIVE_STREAMS, broadcastOf, isStreamId, playbackUrl, readStreamId, streamOfAddress } from '../src/ids.js';

const ID = '0a1b2c3d4e5f';
/** Addresses as the code writes them: crates/domain/src/paths keeps the file true. */
const PATHS = JSON.parse(readFileSync(new URL('../../crates/domain/paths.json', import.meta.url), 'utf8'));

test('an id is read from all that people paste', () => {
  for (const text of [
    ID,
    `  ${ID.toUpperCase()}\n`,
    'oa1b2c3d4e5f',
    `https://d111.cloudfront.net/live/${ID}/index.m3u8`,
    `/live/${ID}/index.m3u8?x=1`,
    `https://d111.cloudfront.net/?stream=${ID}#x`,
  ]) assert.equal(readStreamId(text), ID, text);
  assert.equal(readStreamId('il0000000000'), '110000000000');
});

test('what is no id is refused', () => {
  for (const text of ['', '0a1b2c3d4e5', `${ID}0`, '0a1b2c3d4e5u', '../../../etc', '<script>alert', `/live/${ID}`.repeat(40), null, {}, '０a1b2c3d4e5f']) {
    assert.equal(readStreamId(text), null, String(text));
  }
  for (const value of [ID.toUpperCase(), `${ID}\n`, [ID], 5, undefined]) assert.equal(isStreamId(value), false);
});

test('an address names a stream, none, or nonsense that is shown short', () => {
  assert.deepEqual(streamOfAddress(`?stream=${ID}`), { id: ID });
  assert.deepEqual(streamOfAddress('?x=1'), {});
  assert.deepEqual(streamOfAddress('?stream=%3Cimg%20src=x%3E'), { invalid: '<img src=x>' });
  assert.equal(streamOfAddress(`?stream=${'x'.repeat(999)}`).invalid.length, 40);
});

test('the playback URL stays on its origin', () => {
  assert.equal(playbackUrl(ID, 'https://a.example'), `https://a.example/live/${ID}/index.m3u8`);
  assert.throws(() => playbackUrl('//evil.example', 'https://a.example'), TypeError);
});

test('the page spells addresses as the functions do', () => {
  const listing = PATHS.edge.find(({ path }) => path === LIVE_STREAMS);
  assert.equal(listing?.behavior, 'live');
  const read = { streams: 0, broadcasts: 0 };
  for (const { path, stream, broadcast, playlist } of PATHS.edge) {
    if (stream) {
      assert.equal(readStreamId(path), stream);
      assert.equal(playbackUrl(stream, 'https://a.example'), `https://a.example${path}`);
      read.streams += 1;
    }
    if (broadcast && playlist) {
      const text = `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n..${path}\n`;
      assert.equal(broadcastOf(text, `https://a.example/live/${ID}/index.m3u8`), broadcast, path);
      read.broadcasts += 1;
    }
  }
  assert.ok(read.streams > 0 && read.broadcasts > 0, JSON.stringify(read));
});

test('the broadcast is read from the media playlists’ paths', () => {
  const live = `https://a.example/prefix/live/${ID}/index.m3u8`;
  const text = `#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n../../us-east-1/playlists/${ID}-xyz/720p.m3u8\n`;
  assert.equal(broadcastOf(text, live), `${ID}-xyz`);
  assert.equal(broadcastOf(text.replace('playlists', 'low-latency'), live), `${ID}-xyz`);
  assert.equal(broadcastOf('#EXTM3U\nvod/720p.m3u8\n', `https://a.example/us-east-1/playlists/${ID}-xyz/index.m3u8`), `${ID}-xyz`);
  assert.equal(broadcastOf('#EXTM3U\n720p.m3u8', live), null);
  assert.equal(broadcastOf('#EXTM3U\n//[', live), null);
  assert.equal(broadcastOf('', live), null);
});
