// What servers answer, however odd, becomes something sensible.

import assert from 'node:assert/strict';
import test from 'node:test';
import { backoffMs, pause } from '../src/backoff.js';
import { reasonOf, verdict } from '../src/probe.js';
import { readStreams } from '../src/stream-list.js';

test('answers to the question whether a stream is live', () => {
  assert.deepEqual(verdict(200, '#EXTM3U\n'), { kind: 'found', body: '#EXTM3U\n', sourceProblem: '' });
  assert.deepEqual(verdict(200, '<html>'), { kind: 'unreachable' });
  assert.deepEqual(verdict(404, '{"title":"not live"}'), { kind: 'absent', sourceProblem: '' });
  assert.deepEqual(verdict(410, ''), { kind: 'absent', sourceProblem: '' });
  assert.deepEqual(verdict(403, '{"title":"Forbidden","detail":"Members\\n only"}'), { kind: 'refused', reason: 'Members only' });
  for (const status of [429, 500, 502, 503, 504]) assert.deepEqual(verdict(status, ''), { kind: 'unreachable' });
});

test('playlist and answer say what is wrong with the source, anything else nothing', () => {
  const said = (value, id = 'headwater.source-problem') => {
    const playlist = `#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-SESSION-DATA:DATA-ID="${id}",VALUE="${value}",LANGUAGE="en"\n#EXT-X-MEDIA:X\n`;
    return verdict(200, playlist).sourceProblem;
  };
  assert.equal(said('no sound, = silence: <b>check</b>'), 'no sound, = silence: <b>check</b>');
  assert.equal(said('x'.repeat(999)).length, 256);
  assert.equal(said(''), '');
  assert.equal(said('of something else', 'com.example.title'), '');
  assert.equal(verdict(404, '{"detail":"not live","source_problem":"too\\n large "}').sourceProblem, 'too large');
  for (const body of ['', 'null', '5', '[]', '<b>', '{}', '{"source_problem":5}']) assert.equal(verdict(404, body).sourceProblem, '');
  // Trouble on the way says nothing about the source: what was told stays.
  assert.equal(verdict(503, '{"source_problem":"x"}').sourceProblem, undefined);
});

test('a problem document gives one short line, anything else none', () => {
  assert.equal(reasonOf(JSON.stringify({ detail: 'x'.repeat(999) })).length, 160);
  for (const body of ['', 'null', '<b>', '[]', '{"detail":5}', '{"detail":" "}']) assert.equal(reasonOf(body), '');
});

test('tries get rarer, spread, and never rare', () => {
  const at = (attempt, random) => backoffMs(attempt, random);
  assert.equal(at(0, 0.5), 1_000);
  assert.equal(at(1, 0.5), 1_500);
  assert.equal(at(1_000_000, 0.5), 8_000);
  assert.equal(at(99, 0), 6_000);
  assert.ok(at(99, 0.999) < 10_000);
});

test('a pause ends at once when it is given up', async () => {
  const abort = new AbortController();
  const waiting = pause(3_600_000, abort.signal);
  abort.abort();
  await waiting;
  await pause(3_600_000, abort.signal);
});

test('the list keeps what is whole and harmless', () => {
  const good = { id: '0a1b2c3d4e5f', name: 'Talk', state: 'live', started_at: '2026-11-21T10:00:00Z', playback_url: 'x' };
  const startedMs = 1_795_255_200_000;
  assert.deepEqual(readStreams({ streams: [good] }), [{ id: good.id, name: 'Talk', state: 'live', startedMs }]);
  assert.equal(readStreams({ streams: [{ ...good, started_at: startedMs }] })[0].startedMs, startedMs);
  assert.equal(readStreams({ streams: [{ ...good, name: 'a\u202eb\u0000c' }] })[0].name, 'a b c');
  for (const unseen of ['  ', '\u200b', '\u2800', '\u202e', '\u3164\u115f', '\u0301', '\u{e0100}']) {
    assert.equal(readStreams({ streams: [{ ...good, name: unseen }] })[0].name, good.id);
  }
  for (const seen of ['👩\u200d👧', 'e\u0301', 'क्ष', '❤\ufe0f']) assert.equal(readStreams({ streams: [{ ...good, name: seen }] })[0].name, seen);
  assert.equal(readStreams({ streams: [{ ...good, name: 'x'.repeat(999) }] })[0].name.length, 120);
  const bad = [null, 5, {}, { ...good, id: '<img>' }, { ...good, id: ['0a1b2c3d4e5f'] }, { ...good, state: 'ended' }, { ...good, state: '__proto__' }];
  assert.deepEqual(readStreams({ streams: bad }), []);
  assert.equal(readStreams({ streams: Array(999).fill(good) }).length, 200);
  for (const json of [null, [], {}, { streams: 'x' }]) assert.throws(() => readStreams(json), TypeError);
});
