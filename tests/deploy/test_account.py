"""What an account sees of a stack: names that are global to it, quotas, values that services refuse, and what a failed
create leaves behind. None of it shows in an emulator.
"""

import json
import re

import pytest
from stack import PRIMARY, ROOT, SCENARIOS, SECONDARY, Stack, source

#: "Quotas", CloudFront Developer Guide: custom policies of each kind for an account.
POLICIES_AN_ACCOUNT = 20
#: "General naming rules" and the resource types' schemas: longest name of an OAC, cache policy or headers policy.
LONGEST_NAME = {
    "AWS::CloudFront::OriginAccessControl": 64,
    "AWS::CloudFront::CachePolicy": 128,
    "AWS::CloudFront::ResponseHeadersPolicy": 128,
}
LONGEST_DEPLOYMENT, LONGEST_REGION = "a" + "b" * 19, "ap-southeast-1"


def edge_names(stack):
    for kind in LONGEST_NAME:
        for resource in stack.of_type(kind).values():
            (config,) = [value for key, value in resource.items() if key.endswith("Config")]
            yield kind, config["Name"]


def test_names_of_the_edge_are_the_deployment_s_own():
    """CloudFront's names are one account's, whatever the region: two deployments, or two regions, must not meet."""
    stacks = [
        Stack(SCENARIOS["primary"]),
        Stack({**SCENARIOS["primary"], "Deployment": "another"}),
        Stack({"Role": "primary", "PeerRegion": PRIMARY}, region=SECONDARY),
    ]
    seen = [name for stack in stacks for name in edge_names(stack)]
    assert len(seen) == len(set(seen)) == 3 * len(list(edge_names(stacks[0])))
    longest = Stack({**SCENARIOS["primary"], "Deployment": LONGEST_DEPLOYMENT}, region=LONGEST_REGION)
    for kind, name in edge_names(longest):
        assert re.fullmatch(r"[A-Za-z0-9_-]+", name) and len(name) <= LONGEST_NAME[kind], name


def test_docs_say_how_many_deployments_fit_into_an_account():
    stack = Stack.scenario("everything")
    taken = max(len(stack.of_type(f"AWS::CloudFront::{kind}Policy")) for kind in ("Cache", "ResponseHeaders"))
    text = ROOT.joinpath("docs", "deployment.md").read_text()
    fit = POLICIES_AN_ACCOUNT // taken
    assert f"{taken} of {POLICIES_AN_ACCOUNT}, so {fit} deployments" in text


def empty_values(value, where):
    if value in ("", [], {}):
        yield where
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from empty_values(item, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from empty_values(item, f"{where}.{index}")


def test_no_value_is_empty(stack):
    """Services refuse empty dimensions, names and variables, or take them for something."""
    found = [
        place
        for name, resource in stack.resources.items()
        for place in empty_values(resource["Properties"], name)
        # With an origin access control CloudFront wants this one to be there and empty.
        if not place.endswith("S3OriginConfig.OriginAccessIdentity")
    ]
    assert not found
    board = json.loads(stack["Dashboard"]["DashboardBody"])
    assert not list(empty_values(board, "Dashboard"))
    assert ("ReplicationLatency" in json.dumps(board)) == bool(stack.parameters["PeerRegion"])


def test_rules_and_conditions_compare_strings():
    """A parameter is text, also one of type Number: `Fn::Equals` with a number in the template is never true on AWS."""

    def walk(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("Fn::Equals", "Fn::Contains"):
                    flat = [item for part in value for item in (part if isinstance(part, list) else [part])]
                    assert all(isinstance(item, (str, dict)) for item in flat), value
                walk(value)
        elif isinstance(node, list):
            for item in node:
                walk(item)

    walk(source()["Conditions"])
    walk(source()["Rules"])


def test_zones_are_chosen_by_id_or_left_to_the_region():
    """Letters are shuffled for each account, ids are not."""
    plain, chosen = Stack({}), Stack({"ZoneA": "use1-az2", "ZoneB": "use1-az6"})
    for letter, zone in (("A", "use1-az2"), ("B", "use1-az6")):
        assert chosen[f"Subnet{letter}"]["AvailabilityZoneId"] == zone
        assert "AvailabilityZone" not in chosen[f"Subnet{letter}"]
        assert "AvailabilityZoneId" not in plain[f"Subnet{letter}"]
    pattern = re.compile(source()["Parameters"]["ZoneA"]["AllowedPattern"])
    assert pattern.fullmatch("apne1-az4") and not pattern.fullmatch("us-east-1a")


# ---------------------------------------------------------------------------------------------- what stays behind


def test_a_failed_first_create_leaves_nothing_that_is_protected(stack):
    for name, resource in stack.resources.items():
        # A function's versions, which SAM retains, go with the function.
        allowed = "Retain" if resource["Type"] == "AWS::Lambda::Version" else "RetainExceptOnCreate"
        assert resource.get("DeletionPolicy") in (None, allowed), name
    if "Table" in stack:
        protected = Stack({**stack.parameters, "TableProtection": "true"})
        for protects, one in ((False, stack), (True, protected)):
            assert {replica["DeletionProtectionEnabled"] for replica in one["Table"]["Replicas"]} == {protects}


# ---------------------------------------------------------------------------------------------- secrets and alarms


def test_a_new_secrets_revision_reaches_all_who_read_secrets(stack):
    """CloudFormation resolves a secret anew only if the resource changes; functions read theirs when they start."""
    other = Stack({**stack.parameters, "SecretsRevision": "2"}, region=stack.region)
    for name, resource in stack.resources.items():
        text = json.dumps(resource["Properties"])
        environment = resource["Properties"].get("Environment", {}) if "Lambda::Function" in resource["Type"] else {}
        reads = "resolve:secretsmanager" in text or any("_ARN" in key for key in environment.get("Variables", {}))
        if reads:
            assert resource != other.resources[name], f"{name} keeps the old secret"
    if "Distribution" in stack:
        assert "resolve:secretsmanager" in json.dumps(stack["Distribution"])
        # Who checks the secret knows it before who sends it.
        assert {"PlaylistFunction", "LowLatencyFunction"} <= set(stack.resources["Distribution"]["DependsOn"])


def test_alarms_reach_their_topic():
    """CloudWatch may not use the key alias/aws/sns ("Encryption key policy", Amazon SNS Developer Guide)."""
    stack = Stack.scenario("everything")
    topics = stack.of_type("AWS::SNS::Topic")
    for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
        for action in alarm["AlarmActions"] + alarm["OKActions"]:
            assert topics[action.strip("<>")].get("KmsMasterKeyId") != "alias/aws/sns"
            assert "KmsMasterKeyId" not in topics[action.strip("<>")], "a key of one's own would need a policy for CloudWatch"


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_kind_of_each_resource_is_known_to_the_region_it_is_for(name):
    """CloudFront and Global Accelerator are global; the secondary must not make them."""
    stack = Stack.scenario(name)
    kinds = {resource["Type"].split("::")[1] for resource in stack.resources.values()}
    assert ("CloudFront" in kinds) == (stack.parameters["Role"] == "primary")
