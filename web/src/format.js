// Numbers and names as people read them. Pure.

export function bitrate(bitsPerSecond) {
  if (!Number.isFinite(bitsPerSecond) || bitsPerSecond <= 0) return '–';
  if (bitsPerSecond < 1e6) return `${Math.round(bitsPerSecond / 1e3)} kbit/s`;
  return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
}

export function seconds(value) {
  return Number.isFinite(value) && value >= 0 ? `${value.toFixed(1)} s` : '–';
}

/** How long ago, in the largest unit that fits. */
export function since(startedMs, nowMs) {
  if (!Number.isFinite(startedMs)) return '';
  const minutes = Math.floor((nowMs - startedMs) / 60_000);
  if (minutes < 1) return 'just started';
  if (minutes < 60) return `for ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `for ${hours} h ${minutes % 60} min` : `for ${Math.floor(hours / 24)} days`;
}

/** What the quality menu shows for a rendition. */
export function qualityLabel({ name, bitrate: bits }) {
  return `${name} · ${bitrate(bits)}`;
}

/** A quality's name: what the playlist calls it, else its height, else that it is sound. */
export function qualityName({ name, height }) {
  if (typeof name === 'string' && name.trim()) return name.trim().slice(0, 24);
  return height ? `${height}p` : 'Audio';
}
