#!/usr/bin/env node
// Plays a playback URL with a player that is not ours to configure, on a page of another origin that has nothing else:
//   node bare.mjs --url <playback URL> --player shaka|hls.js [--seconds 10] [--browser /usr/bin/chromium]
// Exit code 0 only if so many seconds were shown, in order, with nothing to complain about.

import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openBrowser } from './lib/browser.mjs';

const START_MS = 30_000;
/** Beyond the media's own length; a busy machine stalls. */
const SLACK_MS = 30_000;

const scripts = {
  shaka: () => createRequire(import.meta.url).resolve('shaka-player/dist/shaka-player.compiled.js'),
  'hls.js': () => fileURLToPath(new URL('../../web/dist/hls.min.mjs', import.meta.url)),
};

/** Runs in the page: what a person would write who reads the player's first example. */
const begin = {
  shaka: async ({ url }) => {
    window.shaka.polyfill.installAll();
    const player = new window.shaka.Player();
    player.addEventListener('error', ({ detail }) => console.error(`shaka ${detail.code}: ${detail.message}`));
    await player.attach(document.querySelector('video'));
    await player.load(url);
  },
  'hls.js': async ({ url, script }) => {
    const { default: Hls } = await import(script);
    const player = new Hls();
    player.on(Hls.Events.ERROR, (_, { fatal, details }) => fatal && console.error(`hls.js: ${details}`));
    player.loadSource(url);
    player.attachMedia(document.querySelector('video'));
  },
};

/** The page, on a port of its own: another origin than the media's. */
async function serve(player) {
  const server = createServer(({ url }, response) => {
    if (url === '/player.mjs') {
      response.setHeader('Content-Type', 'text/javascript');
      createReadStream(scripts[player]()).pipe(response);
    } else {
      response.setHeader('Content-Type', 'text/html');
      response.end('<link rel="icon" href="data:,"><video muted autoplay></video>');
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Shown behind an interruption, pictures: enough that they are not what was left of the ones before. */
const RESUMED_FRAMES = 50;

/** Waits until the player has nothing left, has `interruption` end it, and tells how long pictures took to come again. */
async function outlast(page, interruption) {
  await interruption.begin();
  await page.waitForFunction(() => document.querySelector('video').readyState < 3, null, { timeout: START_MS });
  const frames = () => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames;
  const shown = await page.evaluate(frames);
  await interruption.end();
  const ended = Date.now();
  const more = (least) => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames >= least;
  await page.waitForFunction(more, shown + RESUMED_FRAMES, { timeout: interruption.patienceMs, polling: 100 });
  return Date.now() - ended;
}

/**
 * Plays `seconds` of `url`; answers what was seen. `interruption`: `begin()` and `end()`, called in between, and
 * `patienceMs`, within which pictures must come again.
 */
export async function playBare({ url, player, seconds = 10, browser = '/usr/bin/chromium', interruption }) {
  const server = await serve(player);
  const origin = `http://127.0.0.1:${server.address().port}`;
  const script = `${origin}/player.mjs`;
  const { page, journal, close } = await openBrowser(browser);
  try {
    await page.goto(`${origin}/`);
    if (player === 'shaka') await page.addScriptTag({ url: script });
    await page.evaluate(begin[player], { url, script });
    const playing = () => document.querySelector('video').currentTime > 0 && document.querySelector('video').readyState > 2;
    await page.waitForFunction(playing, null, { timeout: START_MS });
    const resumedAfterMs = interruption && (await outlast(page, interruption));
    const from = await page.evaluate(() => document.querySelector('video').currentTime);
    await page.waitForFunction((until) => document.querySelector('video').currentTime >= until, from + seconds, {
      timeout: 1_000 * seconds + SLACK_MS,
      polling: 100,
    });
    const seen = await page.evaluate(() => {
      const { totalVideoFrames: frames, droppedVideoFrames: dropped } = document.querySelector('video').getVideoPlaybackQuality();
      return { frames, dropped, height: document.querySelector('video').videoHeight };
    });
    const failed = journal.answers.filter((answer) => answer.status >= 500);
    return { ...seen, resumedAfterMs, problems: [...journal.errors.map((error) => error.text), ...failed.map((answer) => `${answer.status} ${answer.url}`)] };
  } catch (error) {
    return { problems: [...journal.errors.map((one) => one.text), error.message] };
  } finally {
    await close();
    server.closeAllConnections();
    server.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = { url: { type: 'string' }, player: { type: 'string' }, seconds: { type: 'string', default: '10' }, browser: { type: 'string' } };
  const { values } = parseArgs({ options });
  if (!values.url || !scripts[values.player]) {
    console.error('bare.mjs needs --url and --player shaka|hls.js');
    process.exit(2);
  }
  const seen = await playBare({ ...values, seconds: Number(values.seconds) });
  if (seen.frames !== undefined) console.log(`${seen.frames} frames of ${seen.height} lines, ${seen.dropped} dropped`);
  for (const problem of seen.problems) console.error(`FAILED: ${problem}`);
  process.exitCode = seen.problems.length === 0 && seen.frames > 0 ? 0 : 1;
}
