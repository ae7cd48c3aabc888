// Following the live edge, counting stalls, and figures as text.

import assert from 'node:assert/strict';
import test from 'node:test';
import { LiveFollower } from '../src/follow.js';
import { bitrate, qualityLabel, qualityName, seconds, since } from '../src/format.js';
import { Stalls } from '../src/stalls.js';

const RANGE = LiveFollower.range(6, 2);

test('a viewer left behind by a stall is brought to the edge, after two seconds', () => {
  const follower = new LiveFollower();
  assert.equal(follower.shouldJump(20, RANGE, 0), false);
  assert.equal(follower.shouldJump(20, RANGE, 1_999), false);
  assert.equal(follower.shouldJump(20, RANGE, 2_000), true);
});

test('one bad estimate moves nobody, and what speed can catch up is left to it', () => {
  const follower = new LiveFollower();
  follower.shouldJump(20, RANGE, 0);
  assert.equal(follower.shouldJump(1, RANGE, 1_000), false);
  assert.equal(follower.shouldJump(20, RANGE, 2_500), false);
  assert.equal(follower.shouldJump(RANGE, RANGE, 99_000), false);
  assert.equal(follower.shouldJump(NaN, RANGE, 99_000), false);
});

test('who paused or went back is left there, until they return to the edge', () => {
  const follower = new LiveFollower();
  follower.paused();
  follower.moved(60, RANGE);
  assert.equal(follower.shouldJump(60, RANGE, 0), false);
  assert.equal(follower.shouldJump(60, RANGE, 9_000), false);
  follower.moved(2, RANGE);
  assert.equal(follower.following, true);
  follower.moved(60, RANGE);
  follower.caughtUp();
  assert.equal(follower.following, true);
});

test('stalls are counted once each, with their longest', () => {
  const stalls = new Stalls();
  stalls.end(5);
  stalls.begin(10);
  stalls.begin(20);
  stalls.end(110);
  stalls.begin(200);
  stalls.end(230);
  assert.deepEqual([stalls.count, stalls.longestMs, stalls.totalMs], [2, 100, 130]);
});

test('figures', () => {
  assert.equal(bitrate(2_928_000), '2.9 Mbit/s');
  assert.equal(bitrate(128_000), '128 kbit/s');
  for (const nothing of [0, NaN, undefined, -5]) assert.equal(bitrate(nothing), '–');
  assert.equal(seconds(5.26), '5.3 s');
  assert.equal(seconds(NaN), '–');
  assert.equal(since(NaN, 0), '');
  assert.equal(since(0, 59_000), 'just started');
  assert.equal(since(0, 61_000), 'for 1 min');
  assert.equal(since(0, 3_720_000), 'for 1 h 2 min');
  assert.equal(since(0, 86_400_000 * 3), 'for 3 days');
});

test('qualities are named by the playlist, else by height', () => {
  assert.equal(qualityName({ name: ' 720p ', height: 720 }), '720p');
  assert.equal(qualityName({ height: 480 }), '480p');
  assert.equal(qualityName({ name: '', height: 0 }), 'Audio');
  assert.equal(qualityLabel({ name: '480p', bitrate: 1_528_000 }), '480p · 1.5 Mbit/s');
});
