"""What the proof says while it goes on, and where it leaves logs."""

import time

from stack import ROOT

ARTIFACTS = ROOT / "test-artifacts" / "deploy-proof"

started = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)


def check(condition, text, detail=""):
    if not condition:
        raise AssertionError(f"{text}: {detail}")
    say(f"ok  {text}")
