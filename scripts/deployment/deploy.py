"""Deploys both regions: primary, secondary, then the primary again so that it knows the secondary.

Everything that can be known beforehand is checked before anything is changed; what AWS refuses is explained.
"""

import time

import machine
import stacks
import zones
from cli import Aws, AwsError, Refusal, sam, say

#: Concurrent executions that are kept for the hooks (500 streams), that playlists get and no more, that those of low latency
#: get which are waited for (100 streams), and that Lambda wants to stay unreserved beside the other functions' own.
HOOKS, PLAYLISTS, LOW_LATENCY, UNRESERVED = 100, 200, 400, 200
#: The parameters that they are.
RESERVED = ("HooksReservedConcurrency", "PlaylistReservedConcurrency", "LowLatencyReservedConcurrency")


def run(choices):
    if not choices.image_tag:
        raise Refusal("which image? Say IMAGE_TAG=…; make push prints it")
    machine.check_build(choices)
    regions = [Aws(region) for region, _ in choices.stacks()]
    if choices.given("AwsEndpointUrl", True) is None:  # emulators have no registry
        for aws in regions:
            machine.check_image(aws, choices)
    revision = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    primary, name = regions[0], choices.stack
    # Is it joined already? Then it stays so: un-joining for the time of an upgrade would drop the failover.
    joined = stacks.outputs(primary, name).get("PeerState", "").startswith("joined with ")
    existed = stacks.make_deployable(primary, name)
    peer = [f"PeerRegion={choices.secondary}", f"PeerJoined={str(joined).lower()}"] if choices.secondary else []
    # Protected only once it stands: a failed creation could not be undone otherwise.
    protected = ["TableProtection=true"]
    deploy(choices, primary, name, ["Role=primary", *peer, *(protected if existed else [])], revision, existed)
    if choices.secondary:
        other, other_name = regions[1], choices.stacks()[1][1]
        there = stacks.make_deployable(other, other_name)
        deploy(choices, other, other_name, ["Role=secondary", f"PeerRegion={choices.primary}"], revision, there)
        if not joined:
            peer[1] = "PeerJoined=true"
    if not existed or (choices.secondary and not joined):
        deploy(choices, primary, name, ["Role=primary", *peer, *protected], revision, True)
    say()
    for key, value in sorted(stacks.outputs(primary, name).items()):
        say(f"{key}\n  {value}")


def deploy(choices, aws, name, own, revision, exists):
    """One `sam deploy`."""
    is_primary = name == choices.stack
    given = choices.parameters + (choices.primary_parameters if is_primary else choices.secondary_parameters)
    named = {one.split("=", 1)[0] for one in given}
    words = [
        f"Deployment={choices.deployment}",
        f"Architecture={choices.architecture}",
        f"ImageTag={choices.image_tag}",
        f"ImageRepository={choices.image_repository}",
        f"Revision={revision}",
        *own,
    ]
    if not exists and "ZoneA" not in named:
        first, second = zones.choose(aws)
        words += [f"ZoneA={first}", f"ZoneB={second}"]
    if not exists and not named & set(RESERVED):
        words += reserve(aws)
    parameters = [one for one in words if one.split("=", 1)[0] not in named] + given
    # As SAM CLI wants an empty value said.
    parameters = [f'{one}""' if one.endswith("=") else one for one in parameters]
    say(f"== {aws.region}, {name}: {' '.join(own)}")
    if sam_deploy(aws, name, parameters):
        return
    text = stacks.explain(aws, name)
    if "Origin Shield" in text or "OriginShield" in text:
        say("CloudFront takes no Origin Shield there: it is switched off, at the price of more requests to the origins")
        if not exists:
            stacks.make_deployable(aws, name)
        if sam_deploy(aws, name, [*parameters, "OriginShield=false"]):
            return
        stacks.explain(aws, name)
    raise Refusal("nothing more was deployed, and what stood before stands as it was; mend it and run this again")


def reserve(aws):
    """Shares of the account's Lambda concurrency, so that viewers who wait starve neither encoders' hooks nor other viewers."""
    try:
        limit = aws("lambda", "get-account-settings")["AccountLimit"]
    except AwsError as error:
        say(f"   Lambda's concurrency cannot be read ({error.code}); none is reserved")
        return []
    free = limit["UnreservedConcurrentExecutions"]
    if free < HOOKS + PLAYLISTS + LOW_LATENCY + UNRESERVED:
        say(
            f"   Lambda has {free} concurrent executions free in {aws.region}: too few to keep some for the hooks. Ask for 1,000 before you "
            f"go live (make doctor says how), then deploy with {', '.join(RESERVED[:-1])} and {RESERVED[-1]}"
        )
        return []
    return [f"{name}={number}" for name, number in zip(RESERVED, (HOOKS, PLAYLISTS, LOW_LATENCY))]


def sam_deploy(aws, name, parameters):
    code = sam(
        "deploy", "--stack-name", name, "--region", aws.region, "--capabilities", "CAPABILITY_IAM", "--resolve-s3",
        "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar", "--parameter-overrides", *parameters,
    )  # fmt: skip
    return code == 0
