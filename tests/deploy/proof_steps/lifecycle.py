"""Build, deploy, update, leave the peer, delete: the commands of the README and of docs/operations.md."""

import re

from deployment import ARCHITECTURE, STACKS
from emulator import wait_for
from stack import PRIMARY, SECONDARY

from proof_steps.report import check, say


def build(proof):
    proof.command("sam", "build", "--parameter-overrides", f"Architecture={ARCHITECTURE}")
    say("ok  sam build")


def deploy(proof):
    proof.command("make", "--no-print-directory", "deploy")
    for region in STACKS:
        check(
            proof.status(region) in ("CREATE_COMPLETE", "UPDATE_COMPLETE"),
            f"{STACKS[region]} is deployed in {region}",
            proof.status(region),
        )
    check(
        proof.outputs(PRIMARY)["PeerState"].startswith("joined with "),
        "the primary knows the secondary",
        proof.outputs(PRIMARY),
    )
    check(proof.outputs(SECONDARY)["EdgeUrl"] == proof.outputs(PRIMARY)["EdgeUrl"], "both regions name one edge")
    # The emulator ignores the template's replicas; from here on its replication is real.
    table = proof.outputs(PRIMARY)["RetainedTable"]
    proof.client("dynamodb", PRIMARY).update_table(
        TableName=table, ReplicaUpdates=[{"Create": {"RegionName": SECONDARY}}]
    )
    wait_for(
        lambda: proof.client("dynamodb", SECONDARY).describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE",
        60,
        "the replica",
    )


def update(proof):
    """A parameter change, a redeploy without any, and one that fails and is rolled back."""
    changed = proof.environment["PARAMETERS"] + " LogRetentionDays=7"
    proof.command("make", "--no-print-directory", "deploy", PARAMETERS=changed)
    group = proof.client("logs", PRIMARY).describe_log_groups(
        logGroupNamePrefix=proof.physical(PRIMARY, "FunctionLogs")
    )["logGroups"][0]
    check(group["retentionInDays"] == 7, "a parameter was changed in both regions", group)
    check(proof.outputs(PRIMARY)["PeerState"].startswith("joined with "), "and the primary stayed joined")
    result = proof.command(
        "make", "--no-print-directory", "deploy", PARAMETERS=changed + " Deployment=another", check=False
    )
    text = re.sub(r"\s+", " ", result.stdout)
    check(result.returncode != 0, "joining a peer of another deployment fails", text[-500:])
    check(proof.status(PRIMARY) == "UPDATE_ROLLBACK_COMPLETE", "and is rolled back", proof.status(PRIMARY))
    status, _, text = proof.call(PRIMARY, "GET", "/live/index.json", headers={"X-Headwater-Try": "2"})
    check(status in (200, 403), "what was there still answers", text)


def leave_the_peer(proof, token):
    """Back to one region: docs/operations.md's command, and what is left serves alone. The emulator makes a new table of one
    whose replicas change, where AWS updates it; so nothing is said here of what is in it."""
    bucket = proof.outputs(SECONDARY)["RetainedBucket"]
    proof.command("make", "--no-print-directory", "drop-peer", CONFIRM="yes")
    check(proof.status(SECONDARY) in (None, "DELETE_COMPLETE"), "the secondary is deleted", proof.status(SECONDARY))
    proof.client("s3", SECONDARY).head_bucket(Bucket=bucket)
    say("ok  its media is kept")
    outputs = proof.outputs(PRIMARY)
    check(not outputs["PeerState"].startswith("joined"), "the primary is alone", outputs["PeerState"])
    for function in ("HooksFunction", "PlaylistFunction", "LifecycleFunction", "ApiFunction"):
        variables = proof.client("lambda", PRIMARY).get_function_configuration(
            FunctionName=proof.physical(PRIMARY, function)
        )["Environment"]["Variables"]
        peers = {name: value for name, value in variables.items() if name.startswith("PEER_") and value}
        check(not peers, f"{function} knows no peer any more", peers)
    status, _, text = proof.call(PRIMARY, "POST", "/v1/streams", {"name": "Alone"}, token)
    check(status == 201, "and the REST API works alone", text)
    # The region that was left, or another one, can be joined again.
    proof.command("make", "--no-print-directory", "deploy")
    check(proof.outputs(PRIMARY)["PeerState"].startswith("joined with "), "a peer is joined again", proof.outputs(PRIMARY))
    status, _, text = proof.call(SECONDARY, "GET", "/v1/openapi.json")
    check(status == 200, "and answers", text[:200])


def delete(proof):
    kept = {region: proof.outputs(region) for region in STACKS}
    proof.command("make", "--no-print-directory", "delete", CONFIRM="yes")
    for region in STACKS:
        check(proof.status(region) in (None, "DELETE_COMPLETE"), f"{STACKS[region]} is deleted", proof.status(region))
        proof.client("s3", region).head_bucket(Bucket=kept[region]["RetainedBucket"])
    proof.client("dynamodb", PRIMARY).describe_table(TableName=kept[PRIMARY]["RetainedTable"])
    proof.client("secretsmanager", PRIMARY).describe_secret(SecretId=kept[PRIMARY]["RetainedSecret"])
    say("ok  table, media and pepper are kept")
