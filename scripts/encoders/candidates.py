"""x264 settings to compare. What the engine uses (transcoder/src/media/video/x264.rs) is `standard` and `low`."""
from bench import FPS, KBPS

# Quality of easy pictures; hard ones meet the cap of 1.07 x the rung's bitrate.
CRF = {"standard": {1080: 21, 720: 20, 480: 19.3, 360: 20}, "low": {1080: 20, 720: 19, 480: 20.5, 360: 21}}

OURS = "keyint=infinite:min-keyint=1:scenecut=0:stitchable=1:threads=1:sync-lookahead=0:"
NO_B, B3 = "bframes=0:", "bframes=3:b-adapt=0:b-pyramid=none:direct=temporal:"


class Candidate:
    """x264 settings; without `crf` the rung's average bitrate."""

    def __init__(self, preset, params=None, crf=None):
        self.preset, self.params, self.crf = preset, params, crf

    def args(self, rung, scaled):
        rate = KBPS[rung]
        args = ["-c:v", "libx264", "-profile:v", "high", "-preset", self.preset]
        args += ["-maxrate", f"{rate * 107 // 100}k", "-bufsize", f"{rate if self.params else rate * 3 // 2}k"]
        args += ["-crf", str(CRF[self.crf][rung])] if self.crf else ["-b:v", f"{rate}k"]
        if self.params is None:
            return args + ["-g", str(2 * FPS), "-sc_threshold", "0"]
        params = self.params(rung, scaled) if callable(self.params) else self.params
        return args + ["-force_key_frames", "expr:gte(t,n_forced*2)", "-forced-idr", "1", "-x264-params", OURS + params]


def standard(rung, scaled):
    return (B3 if scaled and rung < 720 else NO_B) + "mbtree=1:rc-lookahead=10"


def low(rung, scaled):
    return NO_B + "mbtree=1:rc-lookahead=3:force-cfr=1"


CHOICE = {
    "seed": Candidate("veryfast"),
    "standard": Candidate("superfast", standard, "standard"),
    "low": Candidate("superfast", low, "low"),
}
OTHERS = {
    "standard, less care": Candidate("superfast", lambda rung, scaled: NO_B + "8x8dct=0:partitions=none:mbtree=1:rc-lookahead=5", "standard"),
    "standard, average bitrate": Candidate("superfast", standard),
    "low, average bitrate": Candidate("superfast", low),
    "low, no lookahead": Candidate("superfast", NO_B + "rc-lookahead=0:force-cfr=1"),
}
for preset in "superfast", "veryfast", "faster":
    for b_frames, name in (NO_B, "0"), ("bframes=2:", "2"), ("bframes=3:", "3"), (B3, "3 always"):
        OTHERS[f"{preset}, B {name}"] = Candidate(preset, b_frames + "mbtree=1:rc-lookahead=10")
BASE = NO_B + "mbtree=1:rc-lookahead=10:"
for change in "rc-lookahead=5", "rc-lookahead=20", "mbtree=0", "subme=2", "subme=0", "me=hex", "partitions=p8x8,i8x8,i4x4", "weightp=0", "aq-mode=0", "aq-mode=2", "aq-mode=3", "ref=2":
    OTHERS[f"superfast, B 0, {change}"] = Candidate("superfast", BASE + change)
