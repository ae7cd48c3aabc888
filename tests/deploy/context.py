"""The build context that `docker build` would send: the repository's files as .dockerignore filters them.

"Dockerfile reference, .dockerignore file": each pattern is matched against the whole path and every folder above it, `**` is any
number of folders, and the last line that matches decides. `python3 tests/deploy/context.py FOLDER` copies it there.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pattern(text):
    made = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", text.strip("/")):
        made += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    return re.compile(made)


def rules():
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            yield not line.startswith("!"), pattern(line.removeprefix("!"))


def sent(path, given):
    above = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    excluded = False
    for excludes, expression in given:
        if any(expression.fullmatch(one) for one in above):
            excluded = excludes
    return not excluded


def files():
    """What git knows, and what is new beside it: a clone has nothing else but what is built."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    given = list(rules())
    return [name for name in listed.split("\0") if name and sent(name, given) and (ROOT / name).is_file()]


def copy(folder):
    for name in files():
        target = Path(folder) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)


if __name__ == "__main__":
    copy(sys.argv[1])
