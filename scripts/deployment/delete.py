"""Takes a deployment down: streams end, services and tasks stop, then the stacks go, the secondary's first.

Can be run again wherever it was stopped. Says at the end what is left, what that costs, and how to remove it.
"""

import json
import time

import stacks
from choices import ROOT
from cli import Aws, AwsError, Refusal, confirmed, sam, say

#: Seconds that tasks may take to stop: StopTimeout is 120.
TASKS_PATIENCE = 240
PAUSE = 5
PRICES = ROOT / "docs" / "prices.json"


def run(choices):
    names = " and ".join(f"'{name}' in {region}" for region, name in reversed(choices.stacks()))
    if not confirmed(f"Delete the stacks {names}? Every stream ends."):
        raise Refusal("nothing was deleted; answer yes, or say CONFIRM=yes")
    left = []
    for region, name in reversed(choices.stacks()):
        aws = Aws(region)
        left.append((aws, stacks.outputs(aws, name)))
        take_down(aws, name)
    for aws, outputs in left:
        tell_what_is_left(choices, aws, outputs)


def take_down(aws, name):
    """One stack, its streams first."""
    now = stacks.status(aws, name)
    if now is None:
        say(f"== {aws.region}: no stack '{name}'")
        return
    if now.endswith("_IN_PROGRESS") and now not in ("REVIEW_IN_PROGRESS", "DELETE_IN_PROGRESS"):
        raise Refusal(f"stack '{name}' in {aws.region} is {now}: another operation is under way; run this again when it is over")
    say(f"== {aws.region}: {name}")
    if now != "DELETE_IN_PROGRESS":
        stop_media(aws, name)
        remove(aws, name)
    if stacks.wait(aws, name, "its deletion") is not None:
        for logical, reason in stacks.failures(aws, name)[:5]:
            say(f"   {logical}: {reason}")
        raise Refusal(f"stack '{name}' in {aws.region} is not deleted; see to what its events name, and run this again")


def stop_media(aws, name):
    """No task may run when the cluster is to be deleted; and nothing may start new ones meanwhile."""
    for rule in ("SweepRule", "TaskStoppedRule"):
        if found := stacks.physical(aws, name, rule):
            tolerant(aws, "events", "disable-rule", "--name", found.split("/")[-1])
    cluster, service = (stacks.physical(aws, name, one) for one in ("Cluster", "GatewayService"))
    if not cluster:
        return
    if service:
        short = service.split("/")[-1]
        suspended = json.dumps({f"{kind}Suspended": True for kind in ("DynamicScalingIn", "DynamicScalingOut", "ScheduledScaling")})
        tolerant(
            aws, "application-autoscaling", "register-scalable-target", "--service-namespace", "ecs",
            "--scalable-dimension", "ecs:service:DesiredCount", "--resource-id", f"service/{cluster}/{short}",
            "--suspended-state", suspended,
        )  # fmt: skip
        tolerant(aws, "ecs", "update-service", "--cluster", cluster, "--service", short, "--desired-count", "0")
    until = time.monotonic() + TASKS_PATIENCE
    asked = set()
    while tasks := running(aws, cluster):
        for task in set(tasks) - asked:
            tolerant(aws, "ecs", "stop-task", "--cluster", cluster, "--task", task, "--reason", "the deployment is deleted")
        asked |= set(tasks)
        if time.monotonic() > until:
            raise Refusal(f"{len(tasks)} tasks in {aws.region} do not stop; look at cluster {cluster}, and run this again")
        say(f"   {len(tasks)} tasks are stopping")
        time.sleep(PAUSE)


def running(aws, cluster):
    try:
        return aws("ecs", "list-tasks", "--cluster", cluster)["taskArns"]
    except AwsError as error:
        if error.code == "ClusterNotFoundException":
            return []
        raise


def tolerant(aws, *words):
    """What is gone already need not be stopped."""
    try:
        return aws(*words)
    except AwsError as error:
        gone = ("ResourceNotFoundException", "ServiceNotFoundException", "ServiceNotActiveException", "ClusterNotFoundException")
        if error.code not in gone and "not found" not in error.message.lower():
            say(f"   passed over: {error}")
        return None


def remove(aws, name):
    if sam("delete", "--stack-name", name, "--region", aws.region, "--no-prompts") != 0:
        raise Refusal(f"sam delete of '{name}' in {aws.region} has failed; run this again, it goes on where it was")


def tell_what_is_left(choices, aws, outputs):
    prices = {name: one["usd"] for name, one in json.loads(PRICES.read_text())["prices"].items()}
    lines = []
    if bucket := outputs.get("RetainedBucket"):
        lines.append((
            f"bucket {bucket} (recordings)", f"${prices['s3_gb_month']} a GB and month",
            f"aws s3 rm --recursive s3://{bucket} && aws s3 rb s3://{bucket}",
        ))  # fmt: skip
    if table := outputs.get("RetainedTable"):
        lines.append((
            f"table {table} (streams, history)", f"${prices['dynamodb_gb_month']} a GB and month, with its replica and backups",
            f"aws dynamodb update-table --table-name {table} --region {aws.region} --no-deletion-protection-enabled && "
            f"aws dynamodb delete-table --table-name {table} --region {aws.region}",
        ))  # fmt: skip
    if pepper := outputs.get("RetainedSecret"):
        lines.append((
            f"secret {pepper} (without it all stream keys are void)", f"${prices['secret_month']} a month and region",
            f"aws secretsmanager remove-regions-from-replication --secret-id {pepper} --remove-replica-regions {choices.secondary or '…'} "
            f"--region {aws.region}; aws secretsmanager delete-secret --secret-id {pepper} --region {aws.region}",
        ))  # fmt: skip
    try:
        aws("ecr", "describe-repositories", "--repository-names", choices.image_repository)
        lines.append((
            f"ECR repository {choices.image_repository} (images)", f"${prices['ecr_gb_month']} a GB and month",
            f"aws ecr delete-repository --force --repository-name {choices.image_repository} --region {aws.region}",
        ))  # fmt: skip
    except AwsError:
        pass
    say(f"== {aws.region}: left there" + ("" if lines else ": nothing of Headwater that this command knows of"))
    for what, price, command in lines:
        say(f"   {what}: {price}\n      {command}")
    if lines:
        say("   and what SAM keeps packages in: the stack aws-sam-cli-managed-default, cents a month, shared by all SAM applications")
