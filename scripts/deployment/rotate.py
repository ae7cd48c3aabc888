"""Rotates a secret of the deployment: a new value, then everybody who reads it starts anew.

The functions accept the current origin secret and the previous one, which is for as long as CloudFront takes to tell its
locations. So the next rotation has to wait for that, and the secondary's functions learn the new value before the edge uses it.
"""

import os
import tempfile
import time

import stacks
from cli import Aws, Refusal, say

#: Name on the command line: the template's resource, and how long its value is.
SECRETS = {"admin-token": ("AdminToken", 40), "origin-secret": ("OriginSecret", 40), "signing-key": ("SigningKey", 64)}


def run(choices):
    if choices.secret not in SECRETS:
        raise Refusal(f"which secret? Say SECRET={'|'.join(SECRETS)}; the key pepper is never rotated, every stream key would be void")
    logical, length = SECRETS[choices.secret]
    primary = Aws(choices.primary)
    if stacks.status(primary, choices.stack) is None:
        raise Refusal(f"there is no stack '{choices.stack}' in {choices.primary}; is PRIMARY or STACK another?")
    if choices.secret == "origin-secret":
        require_deployed(primary, choices)
    secret = stacks.physical(primary, choices.stack, logical)
    value = primary(
        "secretsmanager", "get-random-password", "--password-length", length, "--exclude-punctuation"
    )["RandomPassword"]
    put(primary, secret, value)
    revision = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    # The secondary first: its functions must know the new value before the edge, which is the primary's, sends it.
    for region, name in reversed(choices.stacks()):
        aws = Aws(region)
        if stacks.status(aws, name) is None:
            say(f"there is no stack '{name}' in {region}; it is left out")
            continue
        say(f"== {region}, {name}: SecretsRevision={revision}")
        if not stacks.update(aws, name, {"SecretsRevision": revision}):
            stacks.explain(aws, name)
            raise Refusal(
                "the new value is stored, but not everybody reads it yet; the previous one still works. Mend it, then: "
                f"make rotate SECRET={choices.secret}"
            )
    if choices.secret == "origin-secret":
        wait_until_deployed(primary, choices)
    say(f"{choices.secret} is rotated")


def put(aws, secret, value):
    """The value goes by a file of this process, never by the command line, which everybody on the machine can read."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "value")
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(value)
        aws("secretsmanager", "put-secret-value", "--secret-id", secret, "--secret-string", f"file://{path}")


def distribution(aws, choices):
    found = stacks.physical(aws, choices.stack, "Distribution")
    return aws("cloudfront", "get-distribution", "--id", found)["Distribution"]


def require_deployed(aws, choices):
    now = distribution(aws, choices)["Status"]
    if now != "Deployed":
        raise Refusal(
            f"the edge is {now}: it is still telling its locations of the last change. A second rotation now would cut off those that "
            "still send the value before; run this again when the distribution is Deployed (some five minutes)"
        )


def wait_until_deployed(aws, choices):
    until = time.monotonic() + stacks.PATIENCE
    while (now := distribution(aws, choices)["Status"]) != "Deployed":
        if time.monotonic() > until:
            raise Refusal(f"the edge is still {now} after an hour; do not rotate again before it is Deployed")
        say(f"   the edge is {now}; waiting until all its locations know the new value")
        time.sleep(stacks.PAUSE)
