// The page in a real browser, against a stand-in for the edge that can be late, fail, freeze and end.
// Needs ffmpeg, a browser (BROWSER, default /usr/bin/chromium) and web/dist (`npm run build` in web/).

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FakeEdge } from './fixture/edge.mjs';
import { makeMedia } from './fixture/media.mjs';
import { openBrowser } from './lib/browser.mjs';
import { openStream, watchSeconds } from './lib/watch.mjs';

const BROWSER = process.env.BROWSER ?? '/usr/bin/chromium';
const PAGE = fileURLToPath(new URL('../../web/dist', import.meta.url));
const PLAY = fileURLToPath(new URL('play.mjs', import.meta.url));
const ID = '0a1b2c3d4e5f';
const LONG = { timeout: 60_000, polling: 200 };

let folder;
let media;
let edge;

before(async () => {
  assert.ok(existsSync(PAGE), 'web/dist is missing: npm ci && npm run build in web/');
  folder = await mkdtemp(join(tmpdir(), 'headwater-page-'));
  media = await makeMedia(folder);
});
after(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  edge = new FakeEdge(PAGE, folder, media);
  await edge.start();
});
afterEach(() => edge.stop());

/** A browser for one test; afterwards nothing may have gone wrong in the page, nor gone to another host. */
async function inBrowser(run, options) {
  const { page, journal, close } = await openBrowser(BROWSER, options);
  try {
    await run(page, journal);
    assert.deepEqual(journal.errors, []);
    assert.deepEqual([...journal.hosts], [new URL(edge.url).host]);
    assert.equal(journal.loads, 1, 'the page was reloaded');
  } finally {
    await close();
  }
}

const state = (page, wanted) =>
  page.waitForFunction((s) => document.getElementById('player').dataset.state === s, wanted, LONG);

/** Runs play.mjs as others do; answers its exit code, what it said and its report. */
async function playCli(...args) {
  const json = join(folder, 'report.json');
  await rm(json, { force: true });
  const { code, said } = await new Promise((resolve) => {
    execFile(process.execPath, [PLAY, '--browser', BROWSER, '--json', json, ...args], (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, said: stdout + stderr }),
    );
  });
  return { code, said, report: existsSync(json) ? JSON.parse(await readFile(json, 'utf8')) : null };
}

test('a live stream plays in every quality', async () => {
  edge.goLive();
  const picture = join(folder, 'page.png');
  const { code, said, report } = await playCli('--url', edge.url, '--stream', ID, '--seconds', '5', '--switch', '--screenshot', picture);
  assert.equal(code, 0, said);
  assert.deepEqual(report.switches.map((s) => s.after).toSorted((a, b) => a - b), [360, 480, 720]);
  assert.ok(report.playedSeconds >= 5);
  assert.ok(existsSync(picture));
});

test('an outage shorter than patience is survived without a reload', async () => {
  edge.goLive();
  const [ready, done] = [join(folder, 'ready'), join(folder, 'done')];
  const played = playCli('--url', edge.url, '--stream', ID, '--until-file', done, '--ready-file', ready);
  await until(() => existsSync(ready));
  edge.outage = true;
  // Each track's playlist asked for again and again: by then every buffer here has run dry.
  await until(() => edge.refused >= 16);
  edge.outage = false;
  await writeFile(done, '');
  const { code, said, report } = await played;
  assert.equal(code, 0, said);
  assert.ok(report.count5xx > 0, 'the outage was not noticed');
  assert.ok(report.progressedAtEnd);
  assert.equal(report.reloads, 0);
});

test('gaps, as a lost region leaves them, are passed over', async () => {
  // So that they do not leave the playlist before the test is over.
  edge.window = 60;
  edge.goLive();
  await inBrowser(async (page) => {
    await openStream(page, edge.url, ID, 60_000);
    edge.freeze();
    await state(page, 'buffering');
    edge.takeOver();
    await page.waitForFunction(() => window.testSampler.jumps.length > 0, null, LONG);
    await watchSeconds(page, 3, 60_000);
    await state(page, 'playing');
  });
});

test('play.mjs says what is wrong, and exits with 1', async () => {
  const { code, said, report } = await playCli('--url', edge.url, '--stream', ID, '--start-timeout', '3');
  assert.equal(code, 1);
  assert.match(said, /FAILED: the video did not start within 3 s.*waiting/);
  assert.equal(report.ok, false);
  assert.equal((await playCli('--url', edge.url)).code, 2);
});

test('a stream that is not live yet starts by itself', async () => {
  await inBrowser(async (page) => {
    await page.goto(`${edge.url}?stream=${ID}`);
    await state(page, 'waiting');
    assert.equal(await page.textContent('#status-title'), 'Not live yet');
    assert.equal(await page.inputValue('#playback-url'), `${edge.url}live/${ID}/index.m3u8`);
    edge.goLive();
    await state(page, 'playing');
    assert.equal(await page.isVisible('#overlay'), false);
  });
});

test('what is wrong with the source is said beside the picture while it is, and to those who wait', async () => {
  const problem = 'the encoder sends pictures but no sound, viewers hear silence: <b>check</b> the microphone or the mixer';
  edge.sourceProblem = problem;
  await inBrowser(async (page) => {
    const said = () => page.textContent('#source-problem-text');
    await page.goto(`${edge.url}?stream=${ID}`);
    await state(page, 'waiting');
    await page.waitForSelector('#source-problem:not([hidden])');
    assert.equal(await said(), problem);
    edge.goLive();
    await state(page, 'playing');
    assert.equal(await said(), problem);
    if (process.env.HEADWATER_ARTIFACTS) await page.screenshot({ path: join(process.env.HEADWATER_ARTIFACTS, 'source-problem.png') });
    edge.sourceProblem = '';
    await page.waitForSelector('#source-problem', { state: 'hidden', timeout: 10_000 });
    edge.sourceProblem = 'the sound cannot be decoded';
    await page.waitForSelector('#source-problem:not([hidden])', { timeout: 10_000 });
    assert.equal(await said(), 'the sound cannot be decoded');
    assert.equal(await page.evaluate(() => window.testSampler?.stalls.length ?? 0), 0, 'asking costs no picture');
    edge.end();
    await state(page, 'ended');
    assert.equal(await page.isVisible('#source-problem'), false);
  });
});

test('a publisher that comes back is shown at the live edge again', async () => {
  edge.goLive();
  await inBrowser(async (page) => {
    await openStream(page, edge.url, ID, 60_000);
    edge.freeze();
    await state(page, 'reconnecting');
    assert.equal(await page.textContent('#status-title'), 'Connection interrupted');
    // So far behind that speed alone would not catch up.
    await page.waitForFunction(() => window.headwater.player.latency > 20, null, LONG);
    edge.thaw();
    await state(page, 'playing');
    await page.waitForFunction(() => window.headwater.player.latency < 10 && window.headwater.player.atLiveEdge, null, LONG);
    await watchSeconds(page, 2, 30_000);
  });
});

test('a viewer who paused goes on where they were, and goes live when they ask', async () => {
  edge.goLive();
  await inBrowser(async (page) => {
    await openStream(page, edge.url, ID, 60_000);
    await page.evaluate(() => document.getElementById('video').pause());
    await state(page, 'paused');
    const jumps = await page.evaluate(() => window.testSampler.jumps.length);
    await page.waitForFunction(() => window.headwater.player.latency > 20, null, LONG);
    await page.evaluate(() => document.getElementById('video').play());
    await watchSeconds(page, 4, 30_000);
    assert.equal(await page.evaluate(() => window.testSampler.jumps.length), jumps);
    await page.click('#go-live');
    await page.waitForFunction(() => window.headwater.player.latency < 10, null, LONG);
    await state(page, 'playing');
  });
});

test('damaged media is played past', async () => {
  edge.goLive();
  await inBrowser(async (page) => {
    await openStream(page, edge.url, ID, 60_000);
    edge.damaged = 1;
    await until(() => edge.damaged === 0);
    await watchSeconds(page, 12, 60_000);
    await state(page, 'playing');
    // The decoder did give up, otherwise this shows nothing.
    assert.ok(await page.evaluate(() => window.testSampler.stalls.length + window.testSampler.jumps.length > 1));
  });
});

for (const playlists of ['playlists', 'low-latency']) {
  test(`the end is told, and the next broadcast plays by itself: ${playlists}`, async () => {
    edge.playlists = playlists;
    edge.goLive();
    await inBrowser(async (page) => {
      await openStream(page, edge.url, ID, 60_000);
      edge.end();
      await state(page, 'ended');
      assert.equal(await page.textContent('#status-action'), 'Watch again');
      edge.goLive();
      await state(page, 'playing');
    });
  });
}

test('the list shows streams as text, and a click watches one', async () => {
  edge.goLive();
  const hostile = '<img src=x onerror="document.title=1"> "&amp;';
  const entry = { id: ID, name: hostile, state: 'live', started_at: new Date().toISOString(), playback_url: 'https://other.example/x' };
  await inBrowser(async (page) => {
    await page.goto(edge.url);
    await page.waitForSelector('#streams[data-state=empty]');
    assert.match(await page.textContent('#streams-empty'), /POST \/v1\/streams/);
    edge.streams = [entry, { ...entry, id: '../../secret' }, { ...entry, id: 'javascript:1' }];
    await page.waitForSelector('#streams[data-state=ready]');
    assert.equal(await page.textContent('.entry-name'), hostile);
    assert.equal(await page.locator('#stream-list li').count(), 1);
    edge.streams = null;
    await page.waitForSelector('#streams[data-state=unavailable]');
    assert.equal(await page.locator('#stream-list li').count(), 1);
    await page.locator('.entry').focus();
    await page.keyboard.press('Enter');
    await state(page, 'playing');
    assert.equal(new URL(page.url()).search, `?stream=${ID}`);
    assert.equal(await page.textContent('#player-title'), hostile);
    await page.goBack();
    await state(page, 'idle');
    assert.equal(await page.isVisible('#player'), false);
  });
});

test('the box takes ids and playback URLs, and refuses the rest', async () => {
  edge.goLive();
  await inBrowser(async (page) => {
    await page.goto(`${edge.url}?stream=%3Cscript%3E`);
    await page.waitForSelector('#input-error:not([hidden])');
    await page.fill('#stream-input', 'nonsense');
    await page.keyboard.press('Enter');
    assert.ok(await page.isVisible('#input-error'));
    await page.fill('#stream-input', `https://somewhere.example/live/${ID.toUpperCase()}/index.m3u8`);
    await page.click('#open-form button');
    await state(page, 'playing');
    assert.equal(await page.isVisible('#input-error'), false);
    assert.equal(await page.inputValue('#playback-url'), `${edge.url}live/${ID}/index.m3u8`);
  });
});

test('on a phone nothing is wider than the screen', async () => {
  edge.goLive();
  edge.streams = [{ id: ID, name: 'x'.repeat(120), state: 'reconnecting', started_at: 0 }];
  await inBrowser(
    async (page) => {
      await openStream(page, edge.url, ID, 60_000);
      await page.waitForSelector('#streams[data-state=ready]');
      const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok((await overflow()) <= 0);
    },
    { viewport: { width: 360, height: 740 }, colorScheme: 'dark', isMobile: true, hasTouch: true },
  );
});

/** For what happens in this process or on disk and tells nobody. */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 50));
}
