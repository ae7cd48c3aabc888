"""Deploys both regions into an emulator with the commands of the README, and uses what was deployed.

The emulator runs the real functions from the packages that `sam build` made, behind the deployed HTTP APIs, and judges
every call by the deployed IAM policies. It starts no containers: the proof starts gateway and transcoder itself, with
the environment of the deployed task definitions and the credentials of the deployed task roles.

Usage: python3 tests/deploy/proof.py        (make deploy-local-proof)
Logs and the emulator's output stay in test-artifacts/deploy-proof.
"""

import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack

from deployment import Deployment
from emulator import Emulator
from proof_steps import control_plane, lifecycle, publishing, refusals, watching
from proof_steps.report import ARTIFACTS, say

#: The whole proof; a stuck deploy must not stall whoever waits for it.
MAX_SECONDS = 900


def main():
    shutil.rmtree(ARTIFACTS, ignore_errors=True)
    ARTIFACTS.mkdir(parents=True)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"not done after {MAX_SECONDS} s"))
    signal.alarm(MAX_SECONDS)
    with ExitStack() as stack:
        # Everything that is started leaves its temporary files there.
        os.environ["TMPDIR"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="headwater-proof-"))
        tempfile.tempdir = None
        emulator = stack.enter_context(Emulator(ARTIFACTS / "emulator.log"))
        proof = Deployment(emulator)
        say(f"the emulator runs at {emulator.url}")
        try:
            lifecycle.build(proof)
            refusals.refuse_what_is_wrong(proof)
            lifecycle.deploy(proof)
            token, stream, revoked = control_plane.rest_api(proof)
            control_plane.hooks(proof, revoked)
            with ExitStack() as media:
                broadcast = publishing.publish(proof, media, stream)
                watching.watch(proof, token, stream, broadcast)
                watching.hostile_transcoder(proof, broadcast)
            control_plane.every_event(proof)
            control_plane.schedule(proof)
            control_plane.logs_are_clean(proof, token, stream)
            lifecycle.update(proof)
            lifecycle.leave_the_peer(proof, token)
            lifecycle.delete(proof)
        except BaseException:
            say(f"FAILED; logs are in {ARTIFACTS}")
            raise
    say("the deployment is proved")


if __name__ == "__main__":
    main()
