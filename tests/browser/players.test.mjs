// Other players than ours, as they are, on a page of another origin: Shaka Player and hls.js.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { playBare } from './bare.mjs';
import { FakeEdge } from './fixture/edge.mjs';
import { makeMedia } from './fixture/media.mjs';

const browser = process.env.BROWSER ?? '/usr/bin/chromium';
const ID = '0a1b2c3d4e5f';

let folder;
let edge;
let media;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-players-'));
  media = await makeMedia(folder);
  edge = new FakeEdge(folder, folder, media);
  await edge.start();
  edge.goLive();
});
after(async () => {
  await edge.stop();
  await rm(folder, { recursive: true, force: true });
});

for (const player of ['shaka', 'hls.js']) {
  test(`${player} plays a live stream`, async () => {
    const seen = await playBare({ url: `${edge.url}live/${ID}/index.m3u8`, player, seconds: 6, browser });
    assert.deepEqual(seen.problems, []);
    assert.ok(seen.frames > 0 && seen.height > 0);
  });
}

// Nothing is asked of these players: what they pass over is for our playlists to say so that they do.
for (const player of ['shaka', 'hls.js']) {
  test(`${player} goes on within ten seconds behind what a lost region leaves out`, async () => {
    const lossy = new FakeEdge(folder, folder, media);
    // So that the gaps do not leave the playlist before the test is over.
    lossy.window = 60;
    await lossy.start();
    lossy.goLive();
    const interruption = { begin: () => lossy.freeze(), end: () => lossy.takeOver(), patienceMs: 12_000 };
    const seen = await playBare({ url: `${lossy.url}live/${ID}/index.m3u8`, player, seconds: 3, browser, interruption });
    await lossy.stop();
    // Shaka tells of a segment that is missing, and goes on.
    assert.deepEqual(seen.problems.filter((problem) => !problem.includes('shaka 1011')), []);
  });
}

test('what does not play is told', async () => {
  const seen = await playBare({ url: `${edge.url}nothing.m3u8`, player: 'shaka', seconds: 1, browser });
  assert.notDeepEqual(seen.problems, []);
});
