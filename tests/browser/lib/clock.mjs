// A picture that carries the time it was made, and how to read it back: glass to glass, without believing anybody's clock
// but the one of this machine.

import { spawn } from 'node:child_process';

/** The time in milliseconds, as so many black or white squares in the picture's first rows. */
const BITS = 42;
const SQUARE = 15;
const WIDTH = 640;
const HEIGHT = 360;
const RATE = 30;
const BLACK = 16;
const WHITE = 235;

/** One picture in yuv420p; the rest of it moves, so that there is something to encode. */
function picture(millis, index) {
  const luma = Buffer.alloc(WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y += 1) {
    const row = luma.subarray(y * WIDTH, (y + 1) * WIDTH);
    if (y >= SQUARE) {
      const shade = 40 + (((y >> 3) + index) % 24) * 8;
      row.fill(shade);
      const at = (index * 7 + y) % (WIDTH - 60);
      row.fill(255 - shade, at, at + 60);
    } else {
      for (let bit = 0; bit < BITS; bit += 1) {
        const set = Math.floor(millis / 2 ** bit) % 2 === 1;
        row.fill(set ? WHITE : BLACK, bit * SQUARE, (bit + 1) * SQUARE);
      }
    }
  }
  return Buffer.concat([luma, Buffer.alloc((WIDTH * HEIGHT) / 2, 128)]);
}

/** Publishes such pictures, and a tone, with ffmpeg as a low-latency encoder would; `stop()` ends it. */
export function publishClock(url) {
  const args = [
    ['-v', 'error', '-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', `${WIDTH}x${HEIGHT}`, '-r', RATE, '-i', 'pipe:0'],
    ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000'],
    ['-c:v', 'libx264', '-preset', 'veryfast', '-tune', 'zerolatency', '-g', 2 * RATE, '-b:v', '1500k', '-pix_fmt', 'yuv420p'],
    ['-c:a', 'aac', '-b:a', '96k', '-ac', 2, '-shortest', '-f', 'flv', url],
  ];
  const encoder = spawn('ffmpeg', args.flat().map(String), { stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  encoder.stderr.on('data', (text) => (complaint += text));
  encoder.stdin.on('error', () => {});
  const started = Date.now();
  let index = 0;
  const timer = setInterval(() => {
    // As many as are due; the time in each is the moment it leaves.
    while (index < ((Date.now() - started) * RATE) / 1_000) {
      encoder.stdin.write(picture(Date.now(), index));
      index += 1;
    }
  }, 1_000 / RATE / 2);
  const ended = new Promise((resolve) => encoder.on('close', resolve));
  const stop = async () => {
    clearInterval(timer);
    encoder.stdin.end();
    encoder.kill('SIGTERM');
    await ended;
  };
  return { stop, ended, complaint: () => complaint };
}

/** Runs inside the page: notes how old each shown picture is, a few times a second. */
export function readClock({ bits, square, width }) {
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  const ages = [];
  window.pictureAges = ages;
  let next = 0;
  const look = (now) => {
    video.requestVideoFrameCallback(look);
    if (now < next || !video.videoWidth) return;
    next = now + 250;
    const scale = video.videoWidth / width;
    canvas.width = video.videoWidth;
    canvas.height = Math.ceil(square * scale);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    const y = Math.floor((square * scale) / 2);
    let millis = 0;
    for (let bit = 0; bit < bits; bit += 1) {
      const [red] = context.getImageData(Math.floor((bit + 0.5) * square * scale), y, 1, 1).data;
      if (red > 128) millis += 2 ** bit;
    }
    ages.push((Date.now() - millis) / 1_000);
  };
  video.requestVideoFrameCallback(look);
}

export const CLOCK = { bits: BITS, square: SQUARE, width: WIDTH };
