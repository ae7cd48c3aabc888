// What a viewer does: open the page, wait for the picture, watch, change the quality. Waits for what the page says, never
// for time to pass.

import { access } from 'node:fs/promises';

const POLL_MS = 200;
const SWITCH_TIMEOUT_MS = 30_000;

export async function openStream(page, pageUrl, stream, timeoutMs) {
  const url = new URL(pageUrl);
  url.searchParams.set('stream', stream);
  await page.goto(url.href, { waitUntil: 'domcontentloaded' });
  try {
    await page.waitForFunction(
      () => document.getElementById('player').dataset.state === 'playing' && window.testSampler.playedSeconds > 0.5,
      null,
      { timeout: timeoutMs, polling: POLL_MS },
    );
  } catch (error) {
    const state = await page.evaluate(() => window.headwater?.player).catch(() => null);
    throw new Error(`the video did not start within ${timeoutMs / 1_000} s; the player says ${JSON.stringify(state)}`, { cause: error });
  }
}

/** Until `seconds` more of media were shown. */
export async function watchSeconds(page, seconds, timeoutMs) {
  const goal = (await page.evaluate(() => window.testSampler.playedSeconds)) + seconds;
  await page.waitForFunction((until) => window.testSampler.playedSeconds >= until, goal, { timeout: timeoutMs, polling: POLL_MS });
}

/** Until the file exists; reads the page meanwhile so that a crash is noticed at once. */
export async function watchUntilFile(page, path, timeoutMs) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      await access(path);
      return;
    } catch {
      if (Date.now() > deadline) throw new Error(`${path} did not appear within ${timeoutMs / 1_000} s`);
    }
    // Two reads of the page lie at least POLL_MS apart: this is the polling interval, and fails if the page is gone.
    await page.evaluate((ms) => new Promise((resolve) => setTimeout(resolve, ms)), POLL_MS);
  }
}

/** Chooses every quality by the page's own menu, each until its picture is on the screen; then Auto. */
export async function showEveryQuality(page) {
  const qualities = (await page.evaluate(() => window.headwater.player.qualities)).filter((q) => q.height > 0);
  const first = await page.evaluate(() => window.headwater.player.current?.index);
  // Start with one that is not shown now, so that every choice changes something.
  const order = [...qualities.filter((q) => q.index !== first), ...qualities.filter((q) => q.index === first)];
  const switches = [];
  for (const quality of order) {
    const startedAt = Date.now();
    const before = await page.evaluate(() => document.querySelector('video').videoHeight);
    await page.selectOption('#quality', String(quality.index));
    const shown = await page
      .waitForFunction(
        ({ index, height }) => {
          const { current } = window.headwater.player;
          return current?.index === index && document.querySelector('video').videoHeight === height;
        },
        quality,
        { timeout: SWITCH_TIMEOUT_MS, polling: POLL_MS },
      )
      .then(() => true, () => false);
    const after = await page.evaluate(() => document.querySelector('video').videoHeight);
    switches.push({ to: quality.name, expected: quality.height, before, after, shown, seconds: (Date.now() - startedAt) / 1_000 });
    if (shown) await watchSeconds(page, 1, SWITCH_TIMEOUT_MS).catch(() => {});
  }
  await page.selectOption('#quality', '-1');
  await page.waitForFunction(() => window.headwater.player.selected === -1, null, { timeout: SWITCH_TIMEOUT_MS, polling: POLL_MS });
  return switches;
}

/** What the page looks like now, to the sampler and to itself. */
export function observe(page) {
  return page.evaluate(() => {
    const video = document.querySelector('video');
    const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
    return {
      sampler: window.testSampler,
      player: window.headwater.player,
      frames: { total: totalVideoFrames, dropped: droppedVideoFrames },
      currentTime: video.currentTime,
      now: Date.now(),
      buffered: Array.from({ length: video.buffered.length }, (_, n) => [video.buffered.start(n), video.buffered.end(n)]),
      videoHeight: video.videoHeight,
    };
  });
}
