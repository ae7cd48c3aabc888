// Starts a fresh browser and writes down what goes wrong in it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { install } from './sampler.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

/** `{ context, page, journal, close }`; closing leaves no process and no folder behind. */
export async function openBrowser(executablePath, options = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'headwater-browser-'));
  const remove = () => rm(profile, { recursive: true, force: true, maxRetries: 5 });
  let context;
  try {
    context = await chromium.launchPersistentContext(profile, {
      executablePath,
      args: FLAGS,
      headless: true,
      viewport: { width: 1280, height: 900 },
      ...options,
    });
  } catch (error) {
    await remove();
    throw error;
  }
  await context.addInitScript(install);
  const page = context.pages()[0] ?? (await context.newPage());
  const journal = keepJournal(page);
  const close = async () => {
    await context.close();
    await remove();
  };
  return { context, page, journal, close };
}

function keepJournal(page) {
  const started = Date.now();
  const journal = { errors: [], answers: [], failures: [], hosts: new Set(), loads: 0 };
  const atMs = () => Date.now() - started;
  page.on('domcontentloaded', () => (journal.loads += 1));
  page.on('pageerror', (error) => journal.errors.push({ atMs: atMs(), text: String(error.stack ?? error) }));
  page.on('crash', () => journal.errors.push({ atMs: atMs(), text: 'the page crashed' }));
  page.on('console', (message) => {
    // What could not be loaded is in `answers` and `failures`, with more about it.
    if (message.type() !== 'error' || message.text().startsWith('Failed to load resource')) return;
    journal.errors.push({ atMs: atMs(), text: message.text() });
  });
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== 'blob:' && protocol !== 'data:') journal.hosts.add(host);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) journal.answers.push({ atMs: atMs(), status: response.status(), url: response.url() });
  });
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? '';
    // The player gives up requests it no longer needs, at every change of quality.
    if (reason !== 'net::ERR_ABORTED') journal.failures.push({ atMs: atMs(), reason, url: request.url() });
  });
  journal.mark = () => ({ answers: journal.answers.length });
  return journal;
}
