// Lets hls.js get past gaps of which each stands behind a discontinuity, as a region that has died leaves them.
//
// hls.js 1.7.4 loads the sound of a live stream only when the picture has told where time begins behind the same
// discontinuity (audio-stream-controller, `loadFragment`). It asks that of gaps, too, where there is no picture and never
// will be, and so waits until the gap has left the playlist. A gap needs no time: it is passed over without a request.

export function passingGaps(AudioStreamController) {
  const ofEveryTrack = Object.getPrototypeOf(AudioStreamController.prototype).loadFragment;
  return class extends AudioStreamController {
    loadFragment(fragment, track, bufferedTo) {
      if (fragment.gap) ofEveryTrack.call(this, fragment, track, bufferedTo);
      else super.loadFragment(fragment, track, bufferedTo);
    }
  };
}
