"""Least privilege, both ways: what programs were seen to call against what their roles allow.

`calls.json` is written by the end-to-end test `access`, which tours everything the platform does and notes every AWS
call; `cargo test --locked --workspace --test e2e access` makes it. What no stand-in can see is listed below, with its reason.
"""

import json
import os
import re
from pathlib import Path

import pytest
from stack import PRIMARY, ROOT, SECONDARY, Stack, listed, policies

CALLS = Path(os.environ.get("HEADWATER_ARTIFACTS", ROOT / "test-artifacts")) / "calls.json"

#: Allowed without having been seen: AWS makes these calls in the program's name, or they belong to deploying.
NOT_SEEN = {
    "lambda": {"logs:CreateLogStream", "logs:PutLogEvents"},  # Lambda itself writes the logs
    "api": set(),
    "authorizer": set(),
    "playlist": set(),
    "hooks": {"iam:PassRole"},  # RunTask hands the task its roles
    "lifecycle": {"iam:PassRole", "sqs:SendMessage"},  # Lambda's on-failure destination uses the function's role
    "gateway": {"ecs:UpdateTaskProtection"},  # the ECS agent calls it for the task
    "transcoder": set(),
}
SECRETS = {
    "admin-token": "AdminToken",
    "key-pepper": "KeyPepper",
    "signing-key": "SigningKey",
    "origin-secret": "OriginSecret",
}


@pytest.fixture(scope="module")
def calls():
    if not CALLS.exists():
        pytest.fail(
            f"{CALLS} is not there; make it with: cargo test --locked --workspace --test e2e access (HEADWATER_ARTIFACTS says where)"
        )
    return json.loads(CALLS.read_text())


def seen(stack, program, entries):
    """Each recorded call as (action, resource as the policy would write it, condition)."""
    table = "<Table>" if "Table" in stack else "<Peer.Table>"
    peer_region = SECONDARY if stack.region == PRIMARY else PRIMARY
    for entry in entries:
        region, bucket, api, family, cluster = (
            (stack.region, "<MediaBucket.Arn>", "<HttpApi>", "headwater-transcoder", "<Cluster.Arn>")
            if entry["region"] == "own"
            else (
                peer_region,
                "arn:aws:s3:::<Peer.MediaBucket>",
                "<Peer.ApiId>",
                "<Peer.TaskFamily>",
                f"arn:aws:ecs:{peer_region}:123456789012:cluster/<Peer.Cluster>",
            )
        )
        action = entry["action"]
        if action.startswith("dynamodb:"):
            assert entry["region"] == "own"
            arn = f"arn:aws:dynamodb:{region}:123456789012:table/{table}"
            for key in entry["leading_keys"]:
                yield action, arn, f"{key}*" if key.endswith("#") else key
        elif action in ("s3:PutObject", "s3:GetObject"):
            for prefix in entry["prefixes"]:
                yield action, f"{bucket}/{prefix.replace('<own region>', stack.region)}*", None
        elif action == "ecs:RunTask":
            yield action, f"arn:aws:ecs:{region}:123456789012:task-definition/{family}:*", cluster
        elif action == "execute-api:Invoke":
            for path in entry["paths"]:
                yield action, f"arn:aws:execute-api:{region}:123456789012:{api}/$default/{path}", None
        elif action == "secretsmanager:GetSecretValue":
            for secret in entry["secrets"]:
                name = SECRETS[secret]
                yield action, f"<{name}.Id>" if name in stack else f"<Peer.{name}Arn>", None
        else:
            raise AssertionError(f"{program} calls {action}; say here what a policy for it looks like")


def allowed(stack, role):
    """Each permission of a role as (action, resource, condition), one line per combination."""
    for statement in policies(stack, role):
        condition = statement.get("Condition", {})
        keys = condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
        cluster = condition.get("ArnEquals", {}).get("ecs:cluster")
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                for detail in listed(keys or cluster):
                    yield action, resource, detail


@pytest.mark.parametrize("scenario", ["joined", "secondary"])
@pytest.mark.parametrize("program", ["api", "authorizer", "hooks", "playlist", "lifecycle", "gateway", "transcoder"])
def test_a_role_allows_what_its_program_calls_and_nothing_else(calls, program, scenario):
    stack = Stack.scenario(scenario)
    needed = set(seen(stack, program, calls[program]))
    unseen = NOT_SEEN[program] | (NOT_SEEN["lambda"] if f"{program.title()}Function" in stack else set())
    given = {permission for permission in allowed(stack, f"{program.title()}Role") if permission[0] not in unseen}
    assert needed == given
    actions = {permission[0] for permission in allowed(stack, f"{program.title()}Role")}
    assert unseen <= actions, "what is listed as unseen must be allowed"


def test_everybody_was_seen(calls):
    assert set(calls) == set(NOT_SEEN) - {"lambda"}


@pytest.mark.parametrize("scenario", ["joined", "secondary", "single"])
def test_the_deployment_role_allows_what_its_adapters_call(scenario):
    """Deploying does not happen in the local stack: here against the SDK operations in the adapters."""
    stack = Stack.scenario(scenario)
    code = "".join((ROOT / "crates" / "aws" / "src" / name).read_text() for name in ("apis.rs", "site.rs"))
    operations = set(
        re.findall(
            r"\.(get_apis|get_api|get_stage|put_object|delete_object|list_objects_v2|head_object|get_object)\(\)", code
        )
    )
    assert operations == {"get_apis", "get_stage", "put_object", "delete_object", "list_objects_v2"}
    given = {(a, r) for a, r, _ in allowed(stack, "DeploymentRole") if not a.startswith("logs:")}
    apis = lambda region: f"arn:aws:apigateway:{region}::/apis"
    needed = {
        ("apigateway:GET", apis(stack.region)),
        ("s3:PutObject", "<MediaBucket.Arn>/web/*"),
        ("s3:DeleteObject", "<MediaBucket.Arn>/web/*"),
        ("s3:ListBucket", "<MediaBucket.Arn>"),
    }
    (lists,) = [s for s in policies(stack, "DeploymentRole") if s["Action"] == "s3:ListBucket"]
    assert lists["Condition"] == {"StringLike": {"s3:prefix": "web/*"}}
    if stack.holds("HasPeer"):
        peer = SECONDARY if stack.region == PRIMARY else PRIMARY
        needed |= {("apigateway:GET", apis(peer)), ("apigateway:GET", f"{apis(peer)}/*/stages/*")}
    assert given == needed


def test_roles_are_given_to_ecs_only():
    for scenario in ("joined", "secondary"):
        stack = Stack.scenario(scenario)
        for program in ("Hooks", "Lifecycle"):
            (statement,) = [s for s in policies(stack, f"{program}Role") if s["Action"] == "iam:PassRole"]
            assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
            own = {"<TranscoderRole.Arn>", "<TranscoderExecutionRole.Arn>"}
            peer = {"<Peer.TaskRoleArn>", "<Peer.ExecutionRoleArn>"} if program == "Hooks" else set()
            assert set(statement["Resource"]) == own | peer


#: Actions that know no resources (service authorization reference).
NO_RESOURCE = {"ecr:GetAuthorizationToken"}


def test_no_role_may_do_more_than_its_resources(stack):
    for role in stack.of_type("AWS::IAM::Role"):
        assert not stack[role].get("ManagedPolicyArns"), role
        for statement in policies(stack, role):
            actions = set(listed(statement["Action"]))
            assert not any("*" in action for action in actions), (role, actions)
            if "*" in listed(statement["Resource"]):
                assert actions <= NO_RESOURCE, (role, actions)


def test_transcoder_may_put_entries_and_objects_and_heartbeat(stack):
    statements = {s["Sid"]: s for s in policies(stack, "TranscoderRole")}
    assert set(statements) == {"Timeline", "Media", "SignsOfLife"}
    assert statements["Timeline"]["Action"] == "dynamodb:PutItem"
    prefix = re.search(r'TIMELINE_PREFIX: &str = "(.*)"', (ROOT / "crates" / "aws" / "src" / "schema.rs").read_text())[
        1
    ]
    assert statements["Timeline"]["Condition"]["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": [f"{prefix}*"]}
    objects = listed(statements["Media"]["Resource"])
    # Parts go to the own bucket only, media to both.
    (parts,) = [r for r in objects if r.endswith(f"/{stack.region}/parts/*")]
    media = [r for r in objects if r != parts]
    assert parts.replace("/parts/", "/media/") in media
    assert all(re.fullmatch(rf".*/{stack.region}/media/\*", r) for r in media)
    assert all(r.endswith("/$default/POST/hooks/heartbeat") for r in listed(statements["SignsOfLife"]["Resource"]))
