"""CloudFormation's states, and the way out of each that a deploy cannot go on from."""

import time

from cli import AwsError, Refusal, confirmed, say

#: Seconds that a stack may take to go away or to roll back; a distribution alone takes some five minutes.
PATIENCE = 3600
PAUSE = 10


def status(aws, name):
    """The stack's state; `None` if there is none."""
    try:
        stacks = aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"]
    except AwsError as error:
        if "does not exist" in error.message:
            return None
        raise
    return None if stacks[0]["StackStatus"] == "DELETE_COMPLETE" else stacks[0]["StackStatus"]


def outputs(aws, name):
    try:
        stacks = aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"]
    except AwsError as error:
        if "does not exist" in error.message:
            return {}
        raise
    return {one["OutputKey"]: one["OutputValue"] for one in stacks[0].get("Outputs", [])}


def parameters(aws, name):
    """The stack's parameters as they are."""
    stack = aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


def physical(aws, name, logical):
    """A resource's id in AWS; `None` if the stack does not have it (any more)."""
    try:
        answer = aws(
            "cloudformation", "describe-stack-resource", "--stack-name", name, "--logical-resource-id", logical
        )
    except AwsError as error:
        if "does not exist" in error.message:
            return None
        raise
    detail = answer["StackResourceDetail"]
    gone = detail.get("ResourceStatus") == "DELETE_COMPLETE"
    return None if gone else detail.get("PhysicalResourceId") or None


def failures(aws, name):
    """What failed in the stack's last operation, the cause first: (logical id, reason)."""
    events = aws("cloudformation", "describe-stack-events", "--stack-name", name, "--max-items", "200")["StackEvents"]
    found = []
    for event in events:
        begins = event["ResourceType"] == "AWS::CloudFormation::Stack" and event["ResourceStatus"] in (
            "CREATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
            "DELETE_IN_PROGRESS",
            "REVIEW_IN_PROGRESS",
        )
        reason = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in reason:
            found.append((event["LogicalResourceId"], reason))
        if begins:
            break
    return found[::-1]


def wait(aws, name, what):
    """Until no operation is under way; the state then."""
    until = time.monotonic() + PATIENCE
    while True:
        now = status(aws, name)
        if now is None or not now.endswith("_IN_PROGRESS") or now == "REVIEW_IN_PROGRESS":
            return now
        if time.monotonic() > until:
            raise Refusal(f"stack '{name}' in {aws.region} is still {now} after an hour; look at its events")
        say(f"   {name} in {aws.region}: {now}; waiting for {what}")
        time.sleep(PAUSE)


def update(aws, name, changes):
    """Updates a stack with other parameters and nothing else: its own template and code. Whether that went well; if they
    are what they were, that is as good."""
    stack = aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
    known = [one["ParameterKey"] for one in stack.get("Parameters", [])]
    parameters = [
        f"ParameterKey={key},ParameterValue={changes[key]}" if key in changes else f"ParameterKey={key},UsePreviousValue=true"
        for key in known
    ]
    try:
        aws(
            "cloudformation", "update-stack", "--stack-name", name, "--use-previous-template",
            "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--parameters", *parameters,
        )  # fmt: skip
    except AwsError as error:
        if "No updates are to be performed" in error.message:
            return True
        raise
    return wait(aws, name, "the update") == "UPDATE_COMPLETE"


def make_deployable(aws, name):
    """Leads a stack out of states that no deploy gets out of. Whether there is a stack afterwards."""
    now = status(aws, name)
    if now is not None and now.endswith("_IN_PROGRESS") and now != "REVIEW_IN_PROGRESS":
        raise Refusal(f"stack '{name}' in {aws.region} is {now}: another operation is under way; run this again when it is over")
    if now in ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"):
        why = {
            "ROLLBACK_COMPLETE": "its first creation failed and was undone",
            "REVIEW_IN_PROGRESS": "its first change set was never carried out",
            "DELETE_FAILED": "its deletion did not come to its end",
        }.get(now, "its first creation failed and could not be undone")
        say(f"stack '{name}' in {aws.region} is {now}: {why}")
        for logical, reason in failures(aws, name)[:5]:
            say(f"   {logical}: {reason}")
        command = f"aws cloudformation delete-stack --stack-name {name} --region {aws.region}"
        if not confirmed("Nothing can be deployed over it. Delete what is left of it?"):
            raise Refusal(f"nothing was done; delete what is left of it and run this again: {command}")
        aws("cloudformation", "delete-stack", "--stack-name", name)
        if wait(aws, name, "what is left to go away") is not None:
            left = ", ".join(logical for logical, _ in failures(aws, name) if logical != name)
            raise Refusal(
                f"stack '{name}' in {aws.region} cannot be deleted because of {left or 'what its events name'}; see to that, or leave it "
                f"there: {command} --retain-resources {left.replace(', ', ' ')}"
            )
        return False
    if now == "UPDATE_ROLLBACK_FAILED":
        stuck = [logical for logical, _ in failures(aws, name) if logical != name]
        say(f"stack '{name}' in {aws.region} is {now}: an update failed, and so did undoing it: {', '.join(stuck)}")
        command = (
            f"aws cloudformation continue-update-rollback --stack-name {name} --region {aws.region} --resources-to-skip {' '.join(stuck)}"
        )
        if not stuck or not confirmed(f"Go on with undoing it, without {', '.join(stuck)}?"):
            raise Refusal(f"nothing was done; go on with undoing it and run this again: {command}")
        aws("cloudformation", "continue-update-rollback", "--stack-name", name, "--resources-to-skip", *stuck)
        after = wait(aws, name, "the update to be undone")
        if after != "UPDATE_ROLLBACK_COMPLETE":
            raise Refusal(f"stack '{name}' in {aws.region} is {after}; look at its events")
        return True
    return now is not None


def explain(aws, name):
    """Sentences for what stopped a deploy."""
    now = status(aws, name)
    say(f"the deploy of '{name}' in {aws.region} has failed; the stack is {now or 'not there'}")
    found = failures(aws, name) if now else []
    for logical, reason in found[:5]:
        say(f"   {logical}: {reason}")
    text = " ".join(reason for _, reason in found)
    if "must be verified" in text:
        say(
            "CloudFront does not serve this account before AWS has verified it: open a case with AWS Support (service CloudFront, "
            "'account verification'), and run this again when they have answered"
        )
    if "Unable to assume the service linked role" in text or "service linked role" in text.lower():
        say("a service-linked role was just being made; run this again")
    return text
