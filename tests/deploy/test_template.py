"""What template.yaml must say, seen on the translated and evaluated template: above all what no emulator shows."""

import json
import re

import pytest
from stack import ACCOUNT, PRIMARY, ROOT, SCENARIOS, SECONDARY, Stack, listed, policies, source

PLAYLIST_FAILOVER = [500, 502, 503, 504]
MEDIA_FAILOVER = [403, 404, 500, 502, 503, 504]
FUNCTIONS = ["Api", "Authorizer", "Deployment", "Hooks", "Lifecycle", "Playlist"]


@pytest.fixture(params=SCENARIOS)
def stack(request):
    return Stack.scenario(request.param)


@pytest.fixture(params=["joined", "everything"])
def joined(request):
    return Stack.scenario(request.param)


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
    for kind in ("AWS::Route53::RecordSet", "AWS::Route53::HealthCheck", "AWS::GlobalAccelerator::Accelerator", "AWS::SNS::Topic"):
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
        ("IngestCertificateArn", ["", f"arn:aws:acm:eu-west-1:{ACCOUNT}:certificate/0a-1b"], ["x", "arn:aws:iam::1:role/x"]),
        ("PlaybackCertificateArn", ["", f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0a"], [f"arn:aws:acm:eu-west-1:{ACCOUNT}:certificate/0a"]),
        ("WebAclArn", ["", f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/a/b"], [f"arn:aws:wafv2:eu-west-1:{ACCOUNT}:regional/webacl/a/b"]),
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
    assert {subnet["CidrBlock"] for subnet in subnets.values()} == {"cidr(10.20.0.0/16,20,0)", "cidr(10.20.0.0/16,20,1)"}
    assert stack["InternetRoute"]["GatewayId"] == "<InternetGateway>"
    endpoints = {e["ServiceName"].rsplit(".", 1)[1]: e["VpcEndpointType"] for e in stack.of_type("AWS::EC2::VPCEndpoint").values()}
    assert endpoints == {"s3": "Gateway", "dynamodb": "Gateway"}


# ---------------------------------------------------------------------------------------------- data and secrets


def test_table_is_replicated_guarded_and_as_the_code_spells_it():
    schema = read("crates", "aws", "src", "schema.rs")
    constant = lambda name: re.search(rf'pub const {name}: &str = "(.*)";', schema)[1]
    for name, regions in (("single", [PRIMARY]), ("primary", [PRIMARY, SECONDARY]), ("joined", [PRIMARY, SECONDARY])):
        table = Stack.scenario(name)["Table"]
        assert [replica["Region"] for replica in table["Replicas"]] == regions
        for replica in table["Replicas"]:
            assert replica["DeletionProtectionEnabled"] is True
            assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        assert table["TimeToLiveSpecification"] == {"AttributeName": constant("TTL"), "Enabled": True}
        keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
        assert keys == {"HASH": constant("PK"), "RANGE": constant("SK")}


def test_what_is_dear_outlives_the_stack_and_is_named():
    stack = Stack.scenario("joined")
    retained = {name for name, resource in stack.resources.items() if resource.get("DeletionPolicy") == "Retain"}
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


def test_bucket_forgets_parts_and_expires_media_only_when_asked():
    def rules(name):
        found = Stack.scenario(name)["MediaBucket"]["LifecycleConfiguration"]["Rules"]
        return {rule["Prefix"]: int(rule["ExpirationInDays"]) for rule in found if "Prefix" in rule}

    assert rules("single") == {f"{PRIMARY}/parts/": 1}
    assert rules("joined") == {f"{PRIMARY}/parts/": 1, f"{SECONDARY}/parts/": 1}
    assert rules("everything") == {
        f"{PRIMARY}/parts/": 1,
        f"{SECONDARY}/parts/": 1,
        f"{PRIMARY}/media/": 30,
        f"{SECONDARY}/media/": 30,
    }


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
            assert not re.search("SECRET|TOKEN|PEPPER|SIGNING|PASSWORD", key) or key.endswith("_ARN") or key == "SECRETS_REVISION", (name, key)
    for name, task in stack.of_type("AWS::ECS::TaskDefinition").items():
        (container,) = task["ContainerDefinitions"]
        for variable in container["Environment"]:
            assert not re.search("SECRET|TOKEN|PEPPER|SIGNING|PASSWORD", variable["Name"]), (name, variable)
        assert [secret["Name"] for secret in container.get("Secrets", [])] == (["SIGNING_KEY"] if name == "GatewayTask" else [])


def test_secondary_uses_the_primary_s_table_and_secrets():
    stack = Stack.scenario("secondary")
    variables = lambda name: stack[f"{name}Function"]["Environment"]["Variables"]
    assert {variables(name)["TABLE_NAME"] for name in ("Api", "Hooks", "Playlist", "Lifecycle")} == {"<Peer.Table>"}
    assert variables("Authorizer")["ADMIN_TOKEN_ARN"] == "<Peer.AdminTokenArn>"
    assert variables("Hooks")["SIGNING_KEY_ARN"] == "<Peer.SigningKeyArn>"
    assert {variables(name)["KEY_PEPPER_ARN"] for name in ("Api", "Hooks")} == {"<Peer.KeyPepperArn>"}
    assert variables("Playlist")["ORIGIN_SECRET_ARN"] == "<Peer.OriginSecretArn>"
    assert variables("Api")["EDGE_URL"] == "<Peer.EdgeUrl>"


def test_only_an_emulator_is_spared_what_it_cannot_do():
    """AwsEndpointUrl takes out the TLS-only rules and ecs:cluster; without it they are all there."""
    real, emulated = (json.dumps(Stack(dict(SCENARIOS["joined"], **more)).resources) for more in ({}, {"AwsEndpointUrl": "http://127.0.0.1:1"}))
    for text, there in (("aws:SecureTransport", 2), ("ecs:cluster", 3)):
        assert (real.count(text), emulated.count(text)) == (there, 0), text
    assert "AWS_ENDPOINT_URL" not in real


# ---------------------------------------------------------------------------------------------- functions and API


def routes_of_the_local_stack():
    text = read("local", "src", "stack", "routes.rs")
    return set(re.findall(r'"((?:GET|HEAD|POST|ANY|PUT|DELETE) [^"]+)"', text))


def test_routes_are_those_of_the_local_stack(stack):
    routes = {route["RouteKey"]: route for route in stack.of_type("AWS::ApiGatewayV2::Route").values()}
    assert set(routes) == routes_of_the_local_stack()
    for key, route in routes.items():
        expected = "CUSTOM" if "/v1/streams" in key else "AWS_IAM" if "/hooks/" in key else "NONE"
        assert route["AuthorizationType"] == expected, key
        function = "Hooks" if "/hooks/" in key else "Playlist" if "m3u8" in key or "/live" in key or "{region}" in key else "Api"
        assert route["Target"] == f"integrations/<{function}Integration>", key
    waits_for = stack.resources["Stage"]["DependsOn"]
    assert set(stack.of_type("AWS::ApiGatewayV2::Route")) < set(waits_for), "throttles name routes"
    assert set(stack["Stage"]["RouteSettings"]) < set(routes)


def test_authorizer_s_answers_are_not_kept(stack):
    assert stack["AdminAuthorizer"]["AuthorizerResultTtlInSeconds"] == 0


def test_access_log_holds_nothing_secret(stack):
    fields = json.loads(re.sub(r":\$context\.status", ':"$context.status"', stack["Stage"]["AccessLogSettings"]["Format"]))
    for value in fields.values():
        assert re.fullmatch(r"\$context\.[A-Za-z.]+", value)
        assert not re.search(r"header|query|body|authorizer\.(?!error)", value, re.I), value


def code_reads(*paths):
    """Environment variables that source files read through `settings`."""
    text = "".join(read(*path.split("/")) for path in paths)
    required = set(re.findall(r'(?:required|parsed)(?:::<[^>]*>)?\(\s*"([A-Z_0-9]+)"', text))
    optional = set(re.findall(r'(?:optional|parsed_optional)(?:::<[^>]*>)?\(\s*"([A-Z_0-9]+)"', text))
    return required, optional


def every_name_in_the_code():
    text = "".join(
        path.read_text() for folder in ("functions/src", "crates", "transcoder/src") for path in (ROOT / folder).rglob("*.rs")
    )
    return set(re.findall(r'"([A-Z][A-Z0-9_]{2,})"', text))


BY_THE_SDK = {"AWS_SDK_UA_APP_ID", "AWS_ENDPOINT_URL", "RUST_LOG"}
ONLY_TO_START_ANEW = {"SECRETS_REVISION"}


def test_programs_are_told_what_they_read(stack):
    """Every variable that is set is read by somebody; every required one is set."""
    known = every_name_in_the_code() | BY_THE_SDK | ONLY_TO_START_ANEW
    for name in FUNCTIONS:
        variables = set(stack[f"{name}Function"]["Environment"]["Variables"])
        assert variables <= known, (name, variables - known)
        required, _ = code_reads(f"functions/src/bin/{name.lower()}.rs")
        if name in ("Hooks", "Lifecycle"):
            required |= {"ECS_CLUSTER", "ECS_TASK_DEFINITION"}
        assert required <= variables, (name, required - variables)
    for name, required in (
        ("GatewayTask", {"RTMP_LISTEN", "SOURCE_LISTEN", "SPOOL_DIR", "API_URL"}),
        ("TranscoderTask", {"TABLE_NAME", "MEDIA_BUCKET", "API_URL"}),
    ):
        (container,) = stack[name]["ContainerDefinitions"]
        variables = {variable["Name"] for variable in container["Environment"]}
        assert variables <= known, (name, variables - known)
        assert required <= variables, (name, required - variables)


def test_programs_are_told_what_the_local_stack_tells_them(stack):
    """local/src/stack/region.rs and the template set the same variables, but for endpoints, ports and credentials."""
    text = read("local", "src", "stack", "region.rs")
    local = set(re.findall(r'"([A-Z][A-Z0-9_]{3,})"', text))
    local -= {name for name in local if "ENDPOINT_URL" in name or name.startswith("AWS_")}
    local -= {"SOURCE_URL"}  # on Fargate the gateway asks for its address
    ours = {key for f in FUNCTIONS for key in stack[f"{f}Function"]["Environment"]["Variables"]}
    for task in stack.of_type("AWS::ECS::TaskDefinition").values():
        (container,) = task["ContainerDefinitions"]
        ours |= {entry["Name"] for entry in container["Environment"] + container.get("Secrets", [])}
    assert local <= ours, local - ours


def test_every_stage_tag_is_read_and_every_fact_is_there():
    """The facts that one region tells the other, and those that the deployment function wants."""
    code = "".join(path.read_text() for path in (ROOT / "functions/src/deployment").rglob("*.rs"))
    code += "".join(path.read_text() for path in (ROOT / "crates").rglob("*.rs"))
    for name in ("primary", "secondary"):
        tags = Stack.scenario(name)["Stage"]["Tags"]
        for key in tags:
            assert key.removeprefix("headwater:") in code, key
        assert len(tags) <= 50
    told = {"".join(part.title() for part in key.removeprefix("headwater:").split("-")) for key in Stack.scenario("primary")["Stage"]["Tags"]}
    asked = {
        reference.split(".")[1].rstrip(">")
        for name in SCENARIOS
        for reference in re.findall(r"<Peer\.[A-Za-z]+>", json.dumps(Stack.scenario(name).resources))
    }
    assert asked - {"ApiId", "ApiHost", "ApiEndpoint"} <= told


def test_peer_is_asked_again_when_something_changed():
    before, after = Stack({"Revision": "1"})["Peer"], Stack({"Revision": "2"})["Peer"]
    assert before != after
    assert Stack.scenario("primary")["Peer"] != Stack.scenario("joined")["Peer"]
    assert int(before["ServiceTimeout"]) <= 300


# ---------------------------------------------------------------------------------------------- media and ingest


def test_containers_cannot_write_where_they_run(stack):
    for name, task in stack.of_type("AWS::ECS::TaskDefinition").items():
        (container,) = task["ContainerDefinitions"]
        assert container["ReadonlyRootFilesystem"] is True
        assert container["User"] == "10001"
        assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
        assert int(container["StopTimeout"]) == 120
        assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"
        assert container["Image"] == f"{ACCOUNT}.dkr.ecr.{stack.region}.amazonaws.com/headwater-transcoder:1.2.3"
        mounts = [mount["ContainerPath"] for mount in container.get("MountPoints", [])]
        assert mounts == (["/spool"] if name == "GatewayTask" else [])


def test_balancer_listens_for_encoders(stack):
    listeners = {(l["Port"], l["Protocol"]) for l in stack.of_type("AWS::ElasticLoadBalancingV2::Listener").values()}
    assert listeners == {(1935, "TCP")} | ({(443, "TLS")} if stack.holds("HasRtmps") else set())
    assert stack["Balancer"]["SecurityGroups"] == ["<BalancerSecurityGroup>"]
    assert stack["RtmpListener"]["ListenerAttributes"] == [{"Key": "tcp.idle_timeout.seconds", "Value": "120"}]
    attributes = {a["Key"]: a["Value"] for a in stack["RtmpTargets"]["TargetGroupAttributes"]}
    assert attributes == {
        "preserve_client_ip.enabled": "true",
        "deregistration_delay.timeout_seconds": "900",
        "deregistration_delay.connection_termination.enabled": "true",
    }


def test_a_deploy_leaves_scaling_alone_and_drains(stack):
    service = stack["GatewayService"]
    assert "DesiredCount" not in service
    assert service["AvailabilityZoneRebalancing"] == "DISABLED"
    assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100
    # Old gateways learn from the hooks that they are superseded; so the hooks go first.
    assert "HooksFunction" in stack.resources["GatewayService"]["DependsOn"]
    environment = {v["Name"]: v["Value"] for v in stack["GatewayTask"]["ContainerDefinitions"][0]["Environment"]}
    assert environment["GATEWAY_REVISION"] == stack["HooksFunction"]["Environment"]["Variables"]["GATEWAY_REVISION"]


def test_gateways_scale_on_their_sessions():
    stack = Stack({"GatewayMinTasks": "1", "GatewayMaxTasks": "4"})
    tracking = stack["GatewayScalingPolicy"]["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["CustomizedMetricSpecification"]["MetricName"] == "Sessions"
    assert '"Sessions"' in "".join(p.read_text() for p in (ROOT / "transcoder/src/gateway").rglob("*.rs"))
    assert "GatewayScaling" not in Stack({"GatewayMinTasks": "2", "GatewayMaxTasks": "2"})


def test_hooks_start_the_task_that_the_stack_defines(stack):
    variables = stack["HooksFunction"]["Environment"]["Variables"]
    assert variables["ECS_TASK_DEFINITION"] == stack["TranscoderTask"]["Family"]
    assert stack["TaskStoppedRule"]["EventPattern"]["detail"]["group"] == [f"family:{stack['TranscoderTask']['Family']}"]
    (container,) = stack["TranscoderTask"]["ContainerDefinitions"]
    assert f'CONTAINER: &str = "{container["Name"]}"' in read("crates", "aws", "src", "tasks.rs")


# ---------------------------------------------------------------------------------------------- edge


def edge(stack):
    return stack["Distribution"]["DistributionConfig"]


def test_every_behaviour_leads_somewhere(stack):
    if "Distribution" not in stack:
        pytest.skip("the primary owns the edge")
    config = edge(stack)
    origins = {origin["Id"] for origin in config["Origins"]}
    groups = {group["Id"]: group for group in config["OriginGroups"]["Items"]}
    assert config["OriginGroups"]["Quantity"] == len(groups)
    for group in groups.values():
        members = [member["OriginId"] for member in group["Members"]["Items"]]
        assert len(members) == group["Members"]["Quantity"] == 2
        assert set(members) <= origins
        codes = group["FailoverCriteria"]["StatusCodes"]
        assert codes["Quantity"] == len(codes["Items"])
    for behavior in [*config["CacheBehaviors"], config["DefaultCacheBehavior"]]:
        assert behavior["TargetOriginId"] in origins | set(groups)
        assert behavior["ViewerProtocolPolicy"] == "redirect-to-https"
        assert behavior.get("ResponseHeadersPolicyId")
        # CloudFront refuses groups for methods that it does not fail over.
        assert set(behavior["AllowedMethods"]) <= {"GET", "HEAD", "OPTIONS"}


def test_own_region_is_asked_first_and_the_other_one_second(joined):
    config = edge(joined)
    groups = {
        group["Id"]: ([m["OriginId"] for m in group["Members"]["Items"]], group["FailoverCriteria"]["StatusCodes"]["Items"])
        for group in config["OriginGroups"]["Items"]
    }
    assert groups == {
        "playlists-a": (["api-a-try-1", "api-b-try-2"], PLAYLIST_FAILOVER),
        "playlists-b": (["api-b-try-1", "api-a-try-2"], PLAYLIST_FAILOVER),
        "low-latency-a": (["api-a-low-try-1", "api-b-low-try-2"], PLAYLIST_FAILOVER),
        "low-latency-b": (["api-b-low-try-1", "api-a-low-try-2"], PLAYLIST_FAILOVER),
        "media-a": (["s3-a", "s3-b"], MEDIA_FAILOVER),
        "media-b": (["s3-b", "s3-a"], MEDIA_FAILOVER),
        "page": (["page-a", "page-b"], MEDIA_FAILOVER),
    }
    paths = {behavior["PathPattern"]: behavior["TargetOriginId"] for behavior in config["CacheBehaviors"]}
    assert paths == {
        "/live/*": "playlists-a",
        f"/{PRIMARY}/playlists/*": "playlists-a",
        f"/{PRIMARY}/low-latency/*": "low-latency-a",
        f"/{PRIMARY}/media/*": "media-a",
        f"/{PRIMARY}/parts/*": "media-a",
        f"/{SECONDARY}/playlists/*": "playlists-b",
        f"/{SECONDARY}/low-latency/*": "low-latency-b",
        f"/{SECONDARY}/media/*": "media-b",
        f"/{SECONDARY}/parts/*": "media-b",
    }


def test_origins_tell_the_try_and_prove_the_edge(joined):
    hosts = {"a": f"<HttpApi>.execute-api.{PRIMARY}.amazonaws.com", "b": "<Peer.ApiHost>"}
    seen = 0
    for origin in edge(joined)["Origins"]:
        assert (origin["ConnectionAttempts"], origin["ConnectionTimeout"]) == (1, 2), origin["Id"]
        if match := re.fullmatch(r"api-([ab])(-low)?-try-([12])", origin["Id"]):
            region, low, attempt = match.groups()
            headers = {header["HeaderName"]: header["HeaderValue"] for header in origin["OriginCustomHeaders"]}
            assert headers == {
                "X-Headwater-Try": attempt,
                "X-Headwater-Origin": "{{resolve:secretsmanager:<OriginSecret.Id>:SecretString}}",
            }
            assert origin["DomainName"] == hosts[region]
            assert origin["CustomOriginConfig"]["OriginReadTimeout"] == (6 if low else 2)
            assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
            seen += 1
        else:
            assert origin["OriginAccessControlId"] == "<OriginAccess>"
            assert origin.get("OriginPath") == ("/web" if origin["Id"].startswith("page") else None)
            bucket = "<Peer.MediaBucket>.s3." + SECONDARY if origin["Id"].endswith("b") else "<MediaBucket.RegionalDomainName>"
            assert origin["DomainName"].startswith(bucket)
        assert origin["OriginShield"]["OriginShieldRegion"] in (PRIMARY, SECONDARY)
    assert seen == 8
    assert joined["OriginAccess"]["OriginAccessControlConfig"]["SigningBehavior"] == "always"
    # The names of the headers are the code's.
    code = read("functions", "src", "playlist", "mod.rs")
    assert '"x-headwater-try"' in code and '"x-headwater-origin"' in code


def test_local_edge_is_this_edge(joined):
    """The local stack's distribution has the same paths, groups and time-outs (docs say what it leaves out)."""
    text = read("local", "src", "stack", "distribution.rs")
    for name, codes in (("PLAYLIST_FAILOVER", PLAYLIST_FAILOVER), ("MEDIA_FAILOVER", MEDIA_FAILOVER)):
        found = re.search(rf"{name}: \[u16; \d+\] = \[(.*?)\]", text)[1]
        assert sorted(int(code) for code in found.split(",")) == codes
    timeout = lambda name: int(re.search(rf"{name}: Duration = Duration::from_secs\((\d+)\)", text)[1])
    origins = {origin["Id"]: origin for origin in edge(joined)["Origins"]}
    assert timeout("PLAYLIST_TIMEOUT") == origins["api-a-try-1"]["CustomOriginConfig"]["OriginReadTimeout"]
    assert timeout("LOW_LATENCY_TIMEOUT") == origins["api-a-low-try-1"]["CustomOriginConfig"]["OriginReadTimeout"]
    assert timeout("MEDIA_TIMEOUT") == origins["s3-a"]["S3OriginConfig"]["OriginReadTimeout"]


def test_caches_know_the_questions_of_hls_and_forget_errors(joined):
    policy = lambda name: joined[name]["CachePolicyConfig"]
    keys = policy("PlaylistCachePolicy")["ParametersInCacheKeyAndForwardedToOrigin"]
    assert keys["QueryStringsConfig"] == {"QueryStringBehavior": "whitelist", "QueryStrings": ["_HLS_msn", "_HLS_part", "_HLS_skip"]}
    assert keys["EnableAcceptEncodingGzip"] is True
    assert (policy("PlaylistCachePolicy")["MinTTL"], policy("PlaylistCachePolicy")["DefaultTTL"]) == (0, 1)
    media = policy("MediaCachePolicy")
    assert media["MaxTTL"] == 31536000
    for name in ("PlaylistCachePolicy", "MediaCachePolicy", "PageCachePolicy"):
        found = policy(name)["ParametersInCacheKeyAndForwardedToOrigin"]
        assert found["CookiesConfig"]["CookieBehavior"] == "none"
        assert found["HeadersConfig"]["HeaderBehavior"] == "none"
    errors = {error["ErrorCode"]: error["ErrorCachingMinTTL"] for error in edge(joined)["CustomErrorResponses"]}
    assert all(ttl <= 1 for ttl in errors.values())
    assert {400, 403, 404, 500, 502, 503, 504} == set(errors)


def test_players_on_any_site_may_read(joined):
    cors = joined["StreamHeaders"]["ResponseHeadersPolicyConfig"]["CorsConfig"]
    assert cors["AccessControlAllowOrigins"] == {"Items": ["*"]} and cors["AccessControlAllowCredentials"] is False


def test_own_names_certificate_and_web_acl_are_optional():
    plain, full = edge(Stack.scenario("joined")), edge(Stack.scenario("everything"))
    assert "Aliases" not in plain and "WebACLId" not in plain
    assert plain["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert full["Aliases"] == ["live.example.com"] and full["WebACLId"].startswith("arn:aws:wafv2:us-east-1")
    assert full["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"


# ---------------------------------------------------------------------------------------------- names


def test_names_are_shared_by_latency_or_weight_with_health_checks():
    stack = Stack({**SCENARIOS["everything"], "GlobalAccelerator": "false"})
    for record in ("ApiRecord", "IngestRecord"):
        assert stack[record]["Region"] == PRIMARY and "Weight" not in stack[record]
        assert stack[record]["HealthCheckId"] in ("<ApiHealthCheck>", "<IngestHealthCheck>")
    weighted = Stack.scenario("secondary with names")
    assert weighted["IngestRecord"]["Weight"] == "100" and "Region" not in weighted["IngestRecord"]
    out = Stack({**SCENARIOS["secondary with names"], "InService": "false"})
    assert "IngestRecord" not in out and "ApiRecord" not in out


def test_accelerator_leads_to_both_regions():
    stack = Stack.scenario("everything")
    groups = {g["EndpointGroupRegion"]: g["EndpointConfigurations"] for g in stack.of_type("AWS::GlobalAccelerator::EndpointGroup").values()}
    assert groups[PRIMARY][0]["EndpointId"] == "<Balancer>" and groups[SECONDARY][0]["EndpointId"] == "<Peer.LoadBalancerArn>"
    assert [r["FromPort"] for r in stack["AcceleratorListener"]["PortRanges"]] == [1935, 443]
    # The name then leads to the accelerator, not to one balancer.
    assert "IngestRecord" not in stack and stack["AcceleratorRecord"]["Name"] == "ingest.example.com"


def test_encoders_are_sent_to_one_name_or_to_both_regions():
    url = lambda scenario: Stack.scenario(scenario)["ApiFunction"]["Environment"]["Variables"]["INGEST_RTMP"]
    assert url("single") == url("primary") == "rtmp://<Balancer.DNSName>/live"
    assert url("joined") == "rtmp://<Balancer.DNSName>/live,rtmp://<Peer.IngestHost>/live"
    assert url("everything") == "rtmp://ingest.example.com/live"


# ---------------------------------------------------------------------------------------------- watching


def test_alarms_and_dashboard_look_at_metrics_that_exist(stack):
    code = "".join(
        path.read_text() for folder in ("functions/src", "transcoder/src", "crates") for path in (ROOT / folder).rglob("*.rs")
    )
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmDescription"], name
        if alarm["Namespace"] == "Headwater":
            assert f'"{alarm["MetricName"]}"' in code, f"{name}: nobody writes {alarm['MetricName']}"
        assert ("AlarmActions" in alarm) == stack.holds("MailsAlarms")
    board = json.loads(stack["Dashboard"]["DashboardBody"])
    for widget in board["widgets"]:
        for metric in widget["properties"]["metrics"]:
            if metric[0] == "Headwater":
                assert f'"{metric[1]}"' in code, metric
    taken = [(w["x"], w["y"]) for w in board["widgets"]]
    assert len(set(taken)) == len(taken)


def test_logs_are_kept_for_as_long_as_said(stack):
    for name, group in stack.of_type("AWS::Logs::LogGroup").items():
        assert group["RetentionInDays"] == "30", name
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        assert function["LoggingConfig"]["LogGroup"] == "<FunctionLogs>", name


def test_events_that_cannot_be_delivered_are_kept(stack):
    for rule in stack.of_type("AWS::Events::Rule").values():
        (target,) = rule["Targets"]
        assert target["Arn"] == "<LifecycleFunction.Arn>" and target["DeadLetterConfig"]["Arn"] == "<LifecycleFailures.Arn>"
    failed = [c for c in stack.of_type("AWS::Lambda::EventInvokeConfig").values()]
    assert failed[0]["DestinationConfig"]["OnFailure"]["Destination"] == "<LifecycleFailures.Arn>"


# ---------------------------------------------------------------------------------------------- roles


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


def test_transcoder_may_put_entries_and_objects_and_beat(stack):
    statements = {s["Sid"]: s for s in policies(stack, "TranscoderRole")}
    assert set(statements) == {"Timeline", "Media", "SignsOfLife"}
    assert statements["Timeline"]["Action"] == "dynamodb:PutItem"
    prefix = re.search(r'TIMELINE_PREFIX: &str = "(.*)"', read("crates", "aws", "src", "schema.rs"))[1]
    assert statements["Timeline"]["Condition"]["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": [f"{prefix}*"]}
    assert all(re.fullmatch(rf".*/{stack.region}/media/\*", r) for r in listed(statements["Media"]["Resource"]))
    assert all(r.endswith("/$default/POST/hooks/heartbeat") for r in listed(statements["SignsOfLife"]["Resource"]))
