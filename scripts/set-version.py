#!/usr/bin/env python3
"""Sets the version wherever it is named (docs/release.md); local/stack/tests/documents holds these places to one number.

Usage: scripts/set-version.py 1.2.3
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NUMBER = r"\d+\.\d+\.\d+"
#: Where it is named: file, what stands before the number, and how often.
PLACES = [
    ("Cargo.toml", r'(?<=\[workspace\.package\]\nversion = ")', 1),
    ("Cargo.lock", r'(?<=\nversion = ")', None),
    ("samconfig.toml", r"(?<=ImageTag=)", None),
    ("README.md", r"(?<=IMAGE_TAG=)", None),
    ("docs/operations.md", r"(?<=IMAGE_TAG=)", None),
    *[(f"{folder}/package.json", r'(?<="version": ")', 1) for folder in ("web", "tests/browser")],
    # Its own at the head, twice; the packages that are installed follow.
    *[(f"{folder}/package-lock.json", r'(?<="version": ")', 2) for folder in ("web", "tests/browser")],
]


def replaced(path, text, before, times, version):
    """The text with the new number, and how often it was put in."""
    if path != "Cargo.lock":
        return re.subn(before + NUMBER, version, text, count=times or 0)
    packages = text.split("[[package]]")
    ours = [at for at, package in enumerate(packages) if '\nname = "headwater-' in package]
    for at in ours:
        packages[at] = re.sub(before + NUMBER, version, packages[at], count=1)
    return "[[package]]".join(packages), len(ours)


def main(version):
    if not re.fullmatch(NUMBER, version):
        sys.exit(f"set-version: {version!r} is not a version like 1.2.3")
    for path, before, times in PLACES:
        file = ROOT / path
        text, seen = replaced(path, file.read_text(), before, times, version)
        if seen < (times or 1):
            sys.exit(f"set-version: {path} names no version where it used to; see docs/release.md")
        file.write_text(text)
        print(f"{path}: {seen}")


if __name__ == "__main__":
    main(*(sys.argv[1:] if len(sys.argv) == 2 else [""]))
