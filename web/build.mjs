// Puts the page together in dist/: our files as they are, and hls.js with its licence. Nothing is bundled or
// rewritten, so what is read here is what runs there.

import { cp, mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const HLS_FILES = ['dist/hls.min.mjs', 'dist/hls.worker.js', 'LICENSE'];
const HLS_NAMES = { LICENSE: 'hls.LICENSE.txt' };

await rm(here('dist'), { recursive: true, force: true });
await mkdir(here('dist'));
await cp(here('src'), here('dist'), { recursive: true });
for (const file of HLS_FILES) {
  const name = HLS_NAMES[file] ?? file.slice('dist/'.length);
  await cp(here(`node_modules/hls.js/${file}`), here(`dist/${name}`));
}
