"""What template.yaml must say as a whole, of its network, its data and its secrets.

Seen on the translated and evaluated template: above all what no emulator shows.
"""

import json
import re

import pytest
from stack import ACCOUNT, PRIMARY, ROOT, SCENARIOS, SECONDARY, Stack, source


def read(*parts):
    return ROOT.joinpath(*parts).read_text()


# ---------------------------------------------------------------------------------------------- the whole


def test_nothing_refers_to_what_is_not_there(stack):
    missing = {(where, name) for where, name in stack.references if name not in stack.names}
    assert not missing


def test_secondary_owns_no_table_no_secret_and_no_edge():
    stack = Stack.scenario("secondary with names")
    kinds = {resource["Type"] for resource in stack.resources.values()}
    assert not kinds & {
        "AWS::DynamoDB::GlobalTable",
        "AWS::SecretsManager::Secret",
        "AWS::CloudFront::Distribution",
        "AWS::GlobalAccelerator::Accelerator",
    }


def test_optional_parts_cost_nothing_by_default():
    stack = Stack.scenario("joined")
    for kind in (
        "AWS::Route53::RecordSet",
        "AWS::Route53::HealthCheck",
        "AWS::GlobalAccelerator::Accelerator",
        "AWS::SNS::Topic",
    ):
        assert not stack.of_type(kind), kind
    assert not stack.of_type("AWS::EC2::NatGateway")
    for function in stack.of_type("AWS::Lambda::Function").values():
        assert "ReservedConcurrentExecutions" not in function


def test_architecture_is_one_parameter():
    for architecture, containers in (("arm64", "ARM64"), ("x86_64", "X86_64")):
        stack = Stack({"Architecture": architecture})
        assert {tuple(f["Architectures"]) for f in stack.of_type("AWS::Lambda::Function").values()} == {(architecture,)}
        for task in stack.of_type("AWS::ECS::TaskDefinition").values():
            assert task["RuntimePlatform"]["CpuArchitecture"] == containers


def test_every_parameter_explains_itself():
    for name, parameter in source()["Parameters"].items():
        assert parameter.get("Description", "").endswith("."), name
        assert parameter.get("ConstraintDescription", "").startswith(name) or name == "AwsEndpointUrl", name
        assert any(key in parameter for key in ("AllowedValues", "AllowedPattern", "MinValue")), name
    for name, rule in source()["Rules"].items():
        for assertion in rule["Assertions"]:
            assert assertion["AssertDescription"].endswith("."), name


def test_every_parameter_is_in_the_console_s_groups():
    groups = source()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(source()["Parameters"])


@pytest.mark.parametrize(
    "parameter, good, bad",
    [
        ("Deployment", ["headwater", "live2"], ["", "Headwater", "x", "a" * 21, "1live", "a--", "a b"]),
        ("PeerRegion", ["", "eu-west-1", "us-gov-west-1", "ap-southeast-2"], ["europe", "eu-west", "EU-WEST-1"]),
        ("ImageTag", ["0.1.0", "latest", "a_b-c.1"], ["", "repo:tag", "a b", ".x"]),
        ("ImageRepository", ["headwater-transcoder", "team/headwater"], ["", "Upper", "a:b", "https://x"]),
        ("VpcCidr", ["10.20.0.0/16", "172.16.0.0/19"], ["10.0.0.0/8", "10.0.0.0/24", "8.8.8.0/16", "x"]),
        (
            "IngestCertificateArn",
            ["", f"arn:aws:acm:eu-west-1:{ACCOUNT}:certificate/0a-1b"],
            ["x", "arn:aws:iam::1:role/x"],
        ),
        (
            "PlaybackCertificateArn",
            ["", f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0a"],
            [f"arn:aws:acm:eu-west-1:{ACCOUNT}:certificate/0a"],
        ),
        (
            "WebAclArn",
            ["", f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/a/b"],
            [f"arn:aws:wafv2:eu-west-1:{ACCOUNT}:regional/webacl/a/b"],
        ),
        ("PlaybackDomain", ["", "live.example.com"], ["https://live.example.com", "live", "live.example.com/"]),
        ("HostedZoneId", ["", "Z0123456789ABC"], ["example.com", "/hostedzone/Z1"]),
        ("AlarmEmail", ["", "ops@example.com"], ["ops", "a b@example.com"]),
        ("AwsEndpointUrl", ["", "http://127.0.0.1:4566"], ["https://evil.example", "http://10.0.0.1:80"]),
    ],
)
def test_parameters_refuse_what_is_wrong(parameter, good, bad):
    pattern = re.compile(source()["Parameters"][parameter]["AllowedPattern"])
    for value in good:
        assert pattern.fullmatch(value), value
    for value in bad:
        assert not pattern.fullmatch(value), value


# ---------------------------------------------------------------------------------------------- network


def test_security_groups_admit_only_what_is_used(stack):
    rtmps = stack.holds("HasRtmps")

    def rules(name, key):
        return {
            (rule["FromPort"], rule["ToPort"], rule.get("CidrIp") or rule.get("SourceSecurityGroupId"))
            for rule in stack[name].get(key, [])
        }

    anywhere = {(1935, 1935, "0.0.0.0/0")} | ({(443, 443, "0.0.0.0/0")} if rtmps else set())
    assert rules("BalancerSecurityGroup", "SecurityGroupIngress") == anywhere
    assert rules("GatewaySecurityGroup", "SecurityGroupIngress") == {
        (1935, 1935, "<BalancerSecurityGroup>"),
        (8936, 8936, "<TranscoderSecurityGroup>"),
    }
    assert rules("TranscoderSecurityGroup", "SecurityGroupIngress") == set()
    for name in ("BalancerSecurityGroup", "GatewaySecurityGroup", "TranscoderSecurityGroup"):
        assert rules(name, "SecurityGroupEgress"), f"{name} would be given a rule for everything"
        assert all(low == high for low, high, _ in rules(name, "SecurityGroupEgress"))
        for key in ("SecurityGroupIngress", "SecurityGroupEgress"):
            assert all(rule.get("Description") for rule in stack[name].get(key, []))


def test_subnets_are_public_and_large(stack):
    subnets = stack.of_type("AWS::EC2::Subnet")
    assert len({subnet["AvailabilityZone"] for subnet in subnets.values()}) == 2
    assert {subnet["CidrBlock"] for subnet in subnets.values()} == {
        "cidr(10.20.0.0/16,20,0)",
        "cidr(10.20.0.0/16,20,1)",
    }
    assert stack["InternetRoute"]["GatewayId"] == "<InternetGateway>"
    endpoints = {
        e["ServiceName"].rsplit(".", 1)[1]: e["VpcEndpointType"]
        for e in stack.of_type("AWS::EC2::VPCEndpoint").values()
    }
    assert endpoints == {"s3": "Gateway", "dynamodb": "Gateway"}


# ---------------------------------------------------------------------------------------------- data and secrets


def test_table_is_replicated_and_as_the_code_spells_it():
    schema = read("crates", "aws", "src", "schema.rs")
    constant = lambda name: re.search(rf'pub const {name}: &str = "(.*)";', schema)[1]
    for name, regions in (("single", [PRIMARY]), ("primary", [PRIMARY, SECONDARY]), ("joined", [PRIMARY, SECONDARY])):
        table = Stack.scenario(name)["Table"]
        assert [replica["Region"] for replica in table["Replicas"]] == regions
        for replica in table["Replicas"]:
            assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        assert table["TimeToLiveSpecification"] == {"AttributeName": constant("TTL"), "Enabled": True}
        keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
        assert keys == {"HASH": constant("PK"), "RANGE": constant("SK")}


def test_what_is_dear_outlives_the_stack_and_is_named():
    stack = Stack.scenario("joined")
    retained = {name for name, resource in stack.resources.items() if resource.get("DeletionPolicy") == "RetainExceptOnCreate"}
    # Versions of a function are SAM's way to see that its code has changed.
    retained -= set(stack.of_type("AWS::Lambda::Version"))
    assert retained == {"Table", "MediaBucket", "KeyPepper"}
    assert all(stack.resources[name]["UpdateReplacePolicy"] == "Retain" for name in retained)
    named = {value for name, value in stack.outputs.items() if name.startswith("Retained")}
    assert named == {"<Table>", "<MediaBucket>", "<KeyPepper.Id>"}


def test_bucket_is_private_and_read_by_the_edge_only(stack):
    assert set(stack["MediaBucket"]["PublicAccessBlockConfiguration"].values()) == {True}
    deny, allow = stack["MediaBucketPolicy"]["PolicyDocument"]["Statement"]
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert (allow["Principal"], allow["Action"]) == ({"Service": "cloudfront.amazonaws.com"}, "s3:GetObject")
    own = f"arn:aws:cloudfront::{ACCOUNT}:distribution/<Distribution>"
    expected = own if "Distribution" in stack else "<Peer.DistributionArn>"
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": expected}}


#: Keys of each kind of object as the code writes them, in both regions: crates/domain/src/objects.rs keeps the file true.
OBJECT_KEYS = json.loads((ROOT / "tests/deploy/object-keys.json").read_text())
#: The rule that each kind is meant for; another that matches it may only be later.
RULES = {"recorded": "media", "unrecorded": "unrecorded", "part": "parts", "page": None}


@pytest.mark.parametrize("days", [0, 1, 30, 3650])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_stored_key_expires_by_the_rule_that_is_meant_for_it(name, days):
    stack = Stack({**SCENARIOS[name], "MediaExpirationDays": str(days)})
    rules = [rule for rule in stack["MediaBucket"]["LifecycleConfiguration"]["Rules"] if "Prefix" in rule]
    # Buckets are not versioned: an object that expires is gone. Age is all that a rule goes by.
    assert all(set(rule) == {"Id", "Status", "Prefix", "ExpirationInDays"} and rule["Status"] == "Enabled" for rule in rules)
    used = set()
    has_peer = stack.holds("HasPeer")
    for kind, keys in OBJECT_KEYS.items():
        for key in keys:
            if key.split("/")[0] not in (stack.region, "web") and not has_peer:
                continue  # nobody mirrors to it
            matching = [rule for rule in rules if key.startswith(rule["Prefix"])]
            used |= {rule["Id"] for rule in matching}
            effective = min(matching, key=lambda rule: int(rule["ExpirationInDays"]), default=None)
            meant = RULES[kind] if kind != "recorded" or days else None
            own = key.startswith((stack.region, "web"))
            assert (effective and effective["Id"]) == (meant and (meant if own else f"mirrored-{meant}")), key
            if effective:
                assert int(effective["ExpirationInDays"]) == (days if kind == "recorded" else 1), key
    assert used == {rule["Id"] for rule in rules}, "a rule that nothing is stored for"
    # Who names recordings knows the rule.
    for function in ("ApiFunction", "PlaylistFunction", "LowLatencyFunction"):
        assert stack[function]["Environment"]["Variables"]["MEDIA_EXPIRATION_DAYS"] == str(days)


def test_keys_are_of_every_kind():
    assert set(OBJECT_KEYS) == set(RULES) and all(OBJECT_KEYS.values())
    assert any("init" in key for key in OBJECT_KEYS["recorded"]) and any("init" in key for key in OBJECT_KEYS["unrecorded"])


def test_secrets_are_generated_and_replicated():
    for name, replicas in (("single", None), ("primary", [{"Region": SECONDARY}]), ("joined", [{"Region": SECONDARY}])):
        secrets = Stack.scenario(name).of_type("AWS::SecretsManager::Secret")
        assert set(secrets) == {"AdminToken", "KeyPepper", "SigningKey", "OriginSecret"}
        for secret in secrets.values():
            assert secret["GenerateSecretString"]["PasswordLength"] >= 40
            assert secret.get("ReplicaRegions") == replicas
            assert "SecretString" not in secret


def test_no_secret_is_in_any_configuration(stack):
    """Secrets are named by ARN; their value is resolved for CloudFront's origin header only."""
    for name, resource in stack.resources.items():
        text = json.dumps(resource["Properties"])
        if name != "Distribution":
            assert "resolve:secretsmanager" not in text, name
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        for key in function["Environment"]["Variables"]:
            assert (
                not re.search("SECRET|TOKEN|PEPPER|SIGNING|PASSWORD", key)
                or key.endswith("_ARN")
                or key == "SECRETS_REVISION"
            ), (name, key)
    for name, task in stack.of_type("AWS::ECS::TaskDefinition").items():
        (container,) = task["ContainerDefinitions"]
        for variable in container["Environment"]:
            known = variable["Name"] == "SECRETS_REVISION"
            assert known or not re.search("SECRET|TOKEN|PEPPER|SIGNING|PASSWORD", variable["Name"]), (name, variable)
        assert [secret["Name"] for secret in container.get("Secrets", [])] == (
            ["SIGNING_KEY", "PEER"] if name == "GatewayTask" else []
        )


def test_secondary_uses_the_primary_s_table_and_secrets():
    stack = Stack.scenario("secondary")
    variables = lambda name: stack[f"{name}Function"]["Environment"]["Variables"]
    assert {variables(name)["TABLE_NAME"] for name in ("Api", "Hooks", "Playlist", "LowLatency", "Lifecycle")} == {"<Peer.Table>"}
    assert variables("Authorizer")["ADMIN_TOKEN_ARN"] == "<Peer.AdminTokenArn>"
    assert variables("Hooks")["SIGNING_KEY_ARN"] == "<Peer.SigningKeyArn>"
    assert {variables(name)["KEY_PEPPER_ARN"] for name in ("Api", "Hooks")} == {"<Peer.KeyPepperArn>"}
    for name in ("Playlist", "LowLatency"):
        assert variables(name)["ORIGIN_SECRET_ARN"] == "<Peer.OriginSecretArn>"
    assert variables("Api")["EDGE_URL"] == "<Peer.EdgeUrl>"


def test_only_an_emulator_is_spared_what_it_cannot_do():
    """AwsEndpointUrl takes out the TLS-only rules and ecs:cluster; without it they are all there."""
    real, emulated = (
        json.dumps(Stack(dict(SCENARIOS["joined"], **more)).resources)
        for more in ({}, {"AwsEndpointUrl": "http://127.0.0.1:1"})
    )
    for text, there in (("aws:SecureTransport", 2), ("ecs:cluster", 3)):
        assert (real.count(text), emulated.count(text)) == (there, 0), text
    assert "AWS_ENDPOINT_URL" not in real
