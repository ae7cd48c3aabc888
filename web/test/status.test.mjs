// The states of the player, told as what viewers live through.

import assert from 'node:assert/strict';
import test from 'node:test';
import { coversPicture, describe, next } from '../src/status.js';

const after = (...events) => events.reduce(next, 'idle');

test('a viewer who comes early waits, then sees the stream', () => {
  assert.equal(after('open'), 'opening');
  assert.equal(after('open', 'absent'), 'waiting');
  assert.equal(after('open', 'absent', 'unreachable'), 'reconnecting');
  assert.equal(after('open', 'absent', 'found'), 'opening');
  assert.equal(after('open', 'absent', 'found', 'playing'), 'playing');
});

test('stalls and outages pass', () => {
  assert.equal(after('open', 'playing', 'stalled'), 'buffering');
  assert.equal(after('open', 'playing', 'stalled', 'interrupted'), 'reconnecting');
  assert.equal(after('open', 'playing', 'stalled', 'interrupted', 'playing'), 'playing');
  assert.equal(after('open', 'stalled'), 'opening');
});

test('a paused viewer is left in peace', () => {
  assert.equal(after('open', 'playing', 'paused', 'interrupted'), 'paused');
  assert.equal(after('open', 'playing', 'paused', 'playing'), 'playing');
});

test('the end is the end, until there is something new or the viewer watches again', () => {
  assert.equal(after('open', 'playing', 'ended', 'interrupted'), 'ended');
  assert.equal(after('open', 'playing', 'ended', 'stalled', 'paused'), 'ended');
  assert.equal(after('open', 'playing', 'ended', 'playing'), 'playing');
  assert.equal(after('open', 'playing', 'ended', 'found'), 'opening');
});

test('late events change nothing after a failure or a close', () => {
  assert.equal(after('open', 'refused', 'playing'), 'failed');
  assert.equal(after('open', 'failed', 'interrupted'), 'failed');
  assert.equal(after('open', 'close', 'playing'), 'idle');
  assert.equal(after('open', 'close', 'ended'), 'idle');
  assert.equal(after('open', 'failed', 'open'), 'opening');
});

test('every state has words, and those that stop the viewer a way on', () => {
  for (const state of ['idle', 'opening', 'waiting', 'playing', 'paused', 'buffering', 'blocked', 'reconnecting', 'ended', 'failed']) {
    const { title, detail, action, busy } = describe(state);
    if (state !== 'idle') assert.ok(title, state);
    if (coversPicture(state)) assert.ok(busy || action, state);
    if (action) assert.ok(detail, state);
  }
  assert.equal(describe('failed', 'Members only').detail, 'Members only');
});
