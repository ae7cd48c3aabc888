// Command line of play.mjs.

import { parseArgs } from 'node:util';

const USAGE = `Watches a stream on the player page with a real browser; exit code 0 only if everything held.

  node play.mjs --url <page> --stream <id> [--seconds 15] [--switch]
  node play.mjs --url <page> --stream <id> --until-file <path>

  --url            address of the player page
  --stream         id of the stream to watch
  --seconds        how much media to play (default 15)
  --until-file     instead: play and sample until this file exists, whatever happens meanwhile
  --switch         show every quality in turn, then go back to Auto
  --screenshot     where to write a picture of the page (png)
  --json           where to write the report
  --start-timeout  how long the stream may take to start, in seconds (default 60)
  --limit          give up after so many seconds of wall clock (default 600)
  --max-stall      longest stall allowed, in seconds (default 4; with --until-file: any)
  --max-5xx        5xx answers allowed (default 0; with --until-file: any)
  --browser        path of the browser (default /usr/bin/chromium)
  --ready-file     created once the video plays, for whoever wants to break something then`;

const OPTIONS = {
  help: { type: 'boolean', default: false },
  url: { type: 'string' },
  stream: { type: 'string' },
  seconds: { type: 'string', default: '15' },
  'until-file': { type: 'string' },
  'ready-file': { type: 'string' },
  switch: { type: 'boolean', default: false },
  screenshot: { type: 'string' },
  json: { type: 'string' },
  'start-timeout': { type: 'string', default: '60' },
  limit: { type: 'string', default: '600' },
  'max-stall': { type: 'string' },
  'max-5xx': { type: 'string' },
  browser: { type: 'string', default: '/usr/bin/chromium' },
};

/** The options, with numbers as numbers. Throws with the usage text when something is missing or no number. */
export function readOptions(argv) {
  let values;
  try {
    ({ values } = parseArgs({ args: argv, options: OPTIONS }));
  } catch (error) {
    throw new Error(`${error.message}\n\n${USAGE}`, { cause: error });
  }
  if (values.help) return { help: USAGE };
  for (const name of ['url', 'stream']) if (!values[name]) throw new Error(`--${name} is missing\n\n${USAGE}`);
  const number = (name, fallback) => {
    const value = values[name] === undefined ? fallback : Number(values[name]);
    if (Number.isNaN(value) || value < 0) throw new Error(`--${name} takes a number\n\n${USAGE}`);
    return value;
  };
  const untilFile = values['until-file'];
  return {
    url: values.url,
    stream: values.stream,
    seconds: number('seconds'),
    untilFile,
    readyFile: values['ready-file'],
    switch: values.switch,
    screenshot: values.screenshot,
    json: values.json,
    startTimeout: number('start-timeout'),
    limit: number('limit'),
    maxStall: number('max-stall', untilFile ? Infinity : 4),
    max5xx: number('max-5xx', untilFile ? Infinity : 0),
    browser: values.browser,
  };
}
