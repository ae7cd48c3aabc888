// What state the player is in, what may follow, and what we tell the viewer. Pure.

/** From any state. */
const ANYWHERE = {
  open: 'opening',
  close: 'idle',
  absent: 'waiting',
  unreachable: 'reconnecting',
  interrupted: 'reconnecting',
  playing: 'playing',
  ended: 'ended',
  failed: 'failed',
  refused: 'failed',
};

/** Events that mean something in some states only; elsewhere they change nothing. */
const TRANSITIONS = {
  opening: { blocked: 'blocked' },
  waiting: { found: 'opening' },
  reconnecting: { found: 'opening', blocked: 'blocked', paused: 'paused' },
  playing: { stalled: 'buffering', paused: 'paused' },
  buffering: { paused: 'paused' },
  paused: { stalled: 'buffering', interrupted: 'paused' },
  // The end is the end until a new broadcast is found: a late error or stall says nothing.
  ended: { found: 'opening', interrupted: 'ended' },
  idle: { playing: 'idle', interrupted: 'idle', ended: 'idle' },
  failed: { playing: 'failed', interrupted: 'failed', ended: 'failed' },
};

export function next(state, event) {
  return TRANSITIONS[state]?.[event] ?? ANYWHERE[event] ?? state;
}

const MESSAGES = {
  idle: { title: '' },
  opening: { title: 'Connecting…', busy: true },
  waiting: {
    title: 'Not live yet',
    detail: 'This page keeps looking and starts by itself as soon as the stream does.',
    busy: true,
  },
  playing: { title: 'Playing' },
  paused: { title: 'Paused' },
  buffering: { title: 'Buffering…', busy: true },
  blocked: {
    title: 'Ready',
    detail: 'Your browser wants a click before it plays.',
    action: 'Play',
  },
  reconnecting: {
    title: 'Connection interrupted',
    detail: 'Trying again. Playback goes on by itself when the stream is back.',
    busy: true,
  },
  ended: {
    title: 'This broadcast has ended',
    detail: 'If a new one starts on this stream, it plays here.',
    action: 'Watch again',
  },
  failed: {
    title: 'This stream cannot be played here',
    detail: 'Try again, or try another browser. If that does not help, the stream’s owner can check its health.',
    action: 'Try again',
  },
};

/** Title, detail and the label of the one useful action. `reason` replaces the detail when the server gave one. */
export function describe(state, reason) {
  const { title, detail = '', action = '', busy = false } = MESSAGES[state];
  return { title, detail: reason || detail, action, busy };
}

/** States in which the picture is covered by the message. */
export function coversPicture(state) {
  return !['playing', 'paused', 'idle'].includes(state);
}
