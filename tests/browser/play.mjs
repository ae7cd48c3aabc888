#!/usr/bin/env node
// Watches a stream on the player page with a real browser. `node play.mjs --help` tells how.

import { writeFile } from 'node:fs/promises';
import { openBrowser } from './lib/browser.mjs';
import { readOptions } from './lib/options.mjs';
import { complaints, summarize } from './lib/report.mjs';
import { observe, openStream, showEveryQuality, watchSeconds, watchUntilFile } from './lib/watch.mjs';

/** With --until-file: this much media must still come after the file appeared. */
const END_PROGRESS_SECONDS = 2;
const END_TIMEOUT_MS = 30_000;

async function play(options) {
  const { page, journal, close } = await openBrowser(options.browser);
  const problems = [];
  let playingMark = null;
  let switches;
  let end = {};
  try {
    await openStream(page, options.url, options.stream, options.startTimeout * 1_000);
    playingMark = journal.mark();
    if (options.readyFile) await writeFile(options.readyFile, '');
    if (options.untilFile) {
      await watchUntilFile(page, options.untilFile, options.limit * 1_000);
      end = await watchTheEnd(page);
    } else {
      await watchSeconds(page, options.seconds, options.limit * 1_000);
    }
    if (options.switch) switches = await showEveryQuality(page);
  } catch (error) {
    problems.push(error.message);
  }
  try {
    const report = { ...summarize(await observe(page), journal, playingMark), ...end, switches };
    problems.push(...complaints(report, options));
    if (options.screenshot) await page.screenshot({ path: options.screenshot });
    return { ok: problems.length === 0, problems, ...report };
  } catch (error) {
    return { ok: false, problems: [...problems, `the page cannot be read: ${error.message}`], errors: journal.errors };
  } finally {
    await close();
  }
}

async function watchTheEnd(page) {
  const before = await page.evaluate(() => window.testSampler.playedSeconds);
  const progressedAtEnd = await watchSeconds(page, END_PROGRESS_SECONDS, END_TIMEOUT_MS).then(() => true, () => false);
  const endProgressSeconds = (await page.evaluate(() => window.testSampler.playedSeconds)) - before;
  return { progressedAtEnd, endProgressSeconds };
}

function tell(report) {
  const line = (name, value) => console.log(`${name.padEnd(16)} ${value}`);
  if (report.playedSeconds !== undefined) {
    line('played', `${report.playedSeconds.toFixed(1)} s, first picture after ${report.startSeconds?.toFixed(1) ?? '–'} s`);
    line('stalls', `${report.stalls.count}, longest ${report.stalls.longestSeconds.toFixed(1)} s`);
    line('frames', `${report.frames.total}, dropped ${report.frames.dropped}`);
    if (report.latency) line('latency', `median ${report.latency.median.toFixed(1)} s, last ${report.latency.last.toFixed(1)} s`);
    line('answers ≥ 400', `${report.answers4xx5xx.length}, of them 5xx ${report.count5xx}; failed requests ${report.failedRequests.length}`);
    line('page', `${report.reloads} reloads, state ${report.state}`);
    for (const s of report.switches ?? []) line('switch', `${s.to}: ${s.before} → ${s.after} lines in ${s.seconds.toFixed(1)} s`);
  }
  for (const problem of report.problems) console.error(`FAILED: ${problem}`);
  if (report.ok) console.log('everything held');
}

let options;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(error.message);
  process.exit(2);
}
if (options.help) {
  console.log(options.help);
  process.exit(0);
}
const report = await play(options);
if (options.json) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
tell(report);
process.exitCode = report.ok ? 0 : 1;
