"""Takes the other region out of a deployment: the primary lets go of it, its stack is deleted, its replicas go.

What is then can be deployed with another peer. Can be run again wherever it was stopped.
"""

import delete
import stacks
from cli import Aws, Refusal, confirmed, say


def run(choices):
    if not choices.secondary:
        raise Refusal("which region is to be left? Say SECONDARY=…")
    primary, name = Aws(choices.primary), choices.stack
    now = stacks.status(primary, name)
    if now is None:
        raise Refusal(f"there is no stack '{name}' in {choices.primary}; is PRIMARY or STACK another?")
    if now.endswith("_IN_PROGRESS"):
        raise Refusal(f"stack '{name}' in {choices.primary} is {now}: another operation is under way; run this again when it is over")
    peer = stacks.parameters(primary, name).get("PeerRegion", "")
    if peer not in ("", choices.secondary):
        raise Refusal(f"the peer of '{name}' is in {peer}, not in {choices.secondary}; say SECONDARY={peer}")
    region, other_name = choices.stacks()[1]
    if not confirmed(
        f"Leave {region}? Its stack '{other_name}' is deleted: encoders there come back in {choices.primary}, "
        "and recordings whose media is only there cannot be played any more."
    ):
        raise Refusal("nothing was done; answer yes, or say CONFIRM=yes")
    other = Aws(region)
    left = stacks.outputs(other, other_name)
    if peer:
        # Edge and hooks first: nothing may lead there when it goes. A protected replica cannot be removed.
        change(primary, name, {"PeerJoined": "false", "TableProtection": "false"})
    delete.take_down(other, other_name)
    if peer:
        protection = choices.given("TableProtection", True) or "true"
        change(primary, name, {"PeerRegion": "", "TableProtection": protection})
    # Table and pepper are the primary's, and live on.
    delete.tell_what_is_left(choices, other, {"RetainedBucket": left["RetainedBucket"]} if "RetainedBucket" in left else {})
    say(f"'{name}' is a deployment in one region; make deploy with another SECONDARY joins that one")


def change(aws, name, changes):
    told = " ".join(f"{key}={value or '(empty)'}" for key, value in changes.items())
    say(f"== {aws.region}, {name}: {told}")
    if not stacks.update(aws, name, changes):
        stacks.explain(aws, name)
        raise Refusal("the other region is not left yet; what stood before stands. Mend it and run this again")
