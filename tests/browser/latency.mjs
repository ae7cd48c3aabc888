#!/usr/bin/env node
// Glass to glass: publishes a picture with the time in it, watches it on the player page, and reads the time back.
// `node latency.mjs --browser /usr/bin/chromium --url http://127.0.0.1:8080/ --stream <id> --rtmp rtmp://…/live/<key>`

import { parseArgs } from 'node:util';
import { openBrowser } from './lib/browser.mjs';
import { CLOCK, publishClock, readClock } from './lib/clock.mjs';
import { summarize } from './lib/report.mjs';
import { observe, openStream, watchSeconds } from './lib/watch.mjs';

/** The player settles on its distance from the live edge first. */
const SETTLE_SECONDS = 5;

const { values } = parseArgs({
  options: {
    browser: { type: 'string', default: '/usr/bin/chromium' },
    url: { type: 'string' },
    stream: { type: 'string' },
    rtmp: { type: 'string' },
    seconds: { type: 'string', default: '180' },
    limit: { type: 'string' },
    'start-timeout': { type: 'string', default: '60' },
    json: { type: 'boolean', default: false },
  },
});

function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

const seconds = Number(values.seconds);
const publisher = publishClock(values.rtmp);
const { page, journal, close } = await openBrowser(values.browser);
let report;
try {
  await openStreamOnceLive();
  await watchSeconds(page, SETTLE_SECONDS, 60_000);
  const before = (await observe(page)).sampler?.stalls?.length ?? 0;
  await page.evaluate(readClock, CLOCK);
  await watchSeconds(page, seconds, (seconds + 60) * 1_000);
  const ages = (await page.evaluate(() => window.pictureAges)).filter((age) => age > -1 && age < 600).sort((a, b) => a - b);
  const seen = summarize(await observe(page), journal, journal.mark());
  report = {
    seconds,
    pictures: ages.length,
    glassToGlass: { median: percentile(ages, 0.5), p95: percentile(ages, 0.95), most: ages.at(-1) },
    player: seen.latency,
    stalls: seen.stalls.count - before,
    errors: journal.errors,
  };
} finally {
  await close();
  await publisher.stop();
}

if (values.json) console.log(JSON.stringify(report));
else {
  const { glassToGlass: g } = report;
  console.log(`glass to glass   median ${g.median.toFixed(2)} s, 95 % within ${g.p95.toFixed(2)} s, most ${g.most.toFixed(2)} s (${report.pictures} pictures in ${seconds} s)`);
  console.log(`player says      ${report.player?.median?.toFixed(2)} s; stalls ${report.stalls}; errors ${report.errors.length}`);
}
const limit = values.limit && Number(values.limit);
if (report.pictures < seconds || report.errors.length > 0 || (limit && (report.glassToGlass.p95 > limit || report.stalls > 0))) {
  console.error('latency: not as it should be', publisher.complaint());
  process.exitCode = 1;
}

/** The page waits for a stream that is not live yet, as a viewer's would. */
async function openStreamOnceLive() {
  await openStream(page, values.url, values.stream, Number(values['start-timeout']) * 1_000);
}
