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

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headwater-players-'));
  edge = new FakeEdge(folder, folder, await makeMedia(folder));
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

test('what does not play is told', async () => {
  const seen = await playBare({ url: `${edge.url}nothing.m3u8`, player: 'shaka', seconds: 1, browser });
  assert.notDeepEqual(seen.problems, []);
});
