"""Template and code: routes, environment, containers, ingest, and the metrics that are watched."""

import json
import re

from stack import ACCOUNT, ROOT, SCENARIOS, SECONDARY, Stack, policies

FUNCTIONS = ["Api", "Authorizer", "Deployment", "Hooks", "Lifecycle", "LowLatency", "Playlist"]
#: Functions that are another one's program in places of their own.
PROGRAMS = {"LowLatency": "playlist"}
#: Addresses as the code writes them: crates/domain/src/paths keeps the file true.
PATHS = json.loads((ROOT / "crates/domain/paths.json").read_text())


def read(*parts):
    return ROOT.joinpath(*parts).read_text()


# ---------------------------------------------------------------------------------------------- functions and API


def routes_of_the_local_stack():
    text = read("local", "stack", "src", "routes.rs")
    return set(re.findall(r'"((?:GET|HEAD|POST|ANY|PUT|DELETE|OPTIONS) [^"]+)"', text))


def test_routes_are_those_of_the_local_stack(stack):
    routes = {route["RouteKey"]: route for route in stack.of_type("AWS::ApiGatewayV2::Route").values()}
    assert set(routes) == routes_of_the_local_stack()
    for key, route in routes.items():
        expected = "CUSTOM" if key.startswith("ANY ") else "AWS_IAM" if "/hooks/" in key else "NONE"
        assert route["AuthorizationType"] == expected, key
        function = (
            "Hooks"
            if "/hooks/" in key
            else "LowLatency"
            if "/low-latency/" in key or "/parts/" in key
            else "Playlist"
            if "m3u8" in key or "/live" in key or "{region}" in key
            else "Api"
        )
        assert route["Target"] == f"integrations/<{function}Integration>", key
    waits_for = stack.resources["Stage"]["DependsOn"]
    assert set(stack.of_type("AWS::ApiGatewayV2::Route")) < set(waits_for), "throttles name routes"
    assert set(stack["Stage"]["RouteSettings"]) < set(routes)


def taken(routes, method, path):
    """The route of a request: a literal goes before a variable, that before `{proxy+}`, and a named method before ANY ("Routing
    API requests", API Gateway Developer Guide)."""
    order = {"literal": 0, "variable": 1, "greedy": 2}
    found = []
    for key in routes:
        named, pattern = key.split(" ")
        segments = ["greedy" if "+}" in part else "variable" if "{" in part else part for part in pattern.split("/")]
        spelled = "/".join({"greedy": ".+", "variable": "[^/]+"}.get(part, re.escape(part)) for part in segments)
        if named in (method, "ANY") and re.fullmatch(spelled, path):
            found.append(([order.get(part, 0) for part in segments], named == "ANY", key))
    return min(found)[2]


def test_every_address_takes_the_route_that_is_meant_for_it(stack):
    routes = {route["RouteKey"]: route for route in stack.of_type("AWS::ApiGatewayV2::Route").values()}
    behind = lambda method, path: re.search("<(.*)Integration>", routes[taken(routes, method, path)]["Target"])[1]
    for address in PATHS["api"]:
        public = address["path"] in ("/health", "/v1/openapi.json")
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            if public and method in ("OPTIONS", "POST") and address["path"] == "/health":
                continue  # there is nothing to preflight, and nothing to write
            assert behind(method, address["path"]) == "Api", address["path"]
        assert routes[taken(routes, "GET", address["path"])]["AuthorizationType"] == ("NONE" if public else "CUSTOM")
    for path in PATHS["hooks"]:
        assert behind("POST", path) == "Hooks" and routes[taken(routes, "POST", path)]["AuthorizationType"] == "AWS_IAM"
    for address in PATHS["edge"]:
        if address["behavior"] != "media":
            waits = address["behavior"] in ("low-latency", "parts")
            for method in ("GET", "HEAD"):
                assert behind(method, address["path"]) == ("LowLatency" if waits else "Playlist"), address["path"]
    assert {taken(routes, "GET", address["path"]) for address in PATHS["edge"] if address["behavior"] != "media"} == {
        key for key in routes if key.startswith("GET ") and re.search("Playlist|LowLatency", routes[key]["Target"])
    }, "a route that no address takes"


def test_who_waits_takes_no_place_from_who_does_not(stack):
    """One program in two functions: the same but for what it is said to be for, and for its share of concurrency."""
    own = {"Description", "ReservedConcurrentExecutions", "FunctionName"}
    playlist, low_latency = (
        {key: value for key, value in stack[f"{name}Function"].items() if key not in own} for name in ("Playlist", "LowLatency")
    )
    assert playlist == low_latency
    shares = {name: stack[f"{name}Function"].get("ReservedConcurrentExecutions") for name in FUNCTIONS}
    reserved = stack.holds("ReservesHooks")
    assert {name for name, share in shares.items() if share} == ({"Hooks", "LowLatency", "Playlist"} if reserved else set())
    # The local stack shares out as `make deploy` does.
    local = re.search(r"DEPLOYED: Self = Self \{ account: ([\d_]+), hooks: (\d+), playlists: (\d+), low_latency: (\d+) \}", read("local", "stack", "src", "lib.rs"))
    deploy = re.search(r"^HOOKS, PLAYLISTS, LOW_LATENCY, UNRESERVED = (\d+), (\d+), (\d+), (\d+)$", read("scripts", "deployment", "deploy.py"), re.M)
    assert local.groups()[1:] == deploy.groups()[:3]
    assert sum(map(int, deploy.groups())) <= int(local[1].replace("_", ""))


def test_authorizer_s_answers_are_not_kept(stack):
    assert stack["AdminAuthorizer"]["AuthorizerResultTtlInSeconds"] == 0


def test_access_log_holds_nothing_secret(stack):
    fields = json.loads(
        re.sub(r":\$context\.status", ':"$context.status"', stack["Stage"]["AccessLogSettings"]["Format"])
    )
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
        path.read_text()
        for folder in ("functions/src", "crates", "transcoder/src")
        for path in (ROOT / folder).rglob("*.rs")
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
        required, _ = code_reads(f"functions/src/bin/{PROGRAMS.get(name, name.lower())}.rs")
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
    """local/stack/src/environment.rs and the template set the same variables, but for endpoints, ports and credentials."""
    text = read("local", "stack", "src", "environment.rs")
    local = set(re.findall(r'"([A-Z][A-Z0-9_]{3,})"', text))
    assert "TABLE_NAME" in local and "PEER" in local, "that is where the local stack says it"
    local -= {name for name in local if "ENDPOINT_URL" in name or name.startswith("AWS_")}
    local -= {"SOURCE_URL"}  # on Fargate the gateway asks for its address
    local -= {name for name in local if name.startswith("MALLOC_")}  # in the image (transcoder/Dockerfile)
    ours = {key for f in FUNCTIONS for key in stack[f"{f}Function"]["Environment"]["Variables"]}
    for task in stack.of_type("AWS::ECS::TaskDefinition").values():
        (container,) = task["ContainerDefinitions"]
        ours |= {entry["Name"] for entry in container["Environment"] + container.get("Secrets", [])}
    if not stack.holds("KnowsPeer"):
        local -= {name for name in local if name.startswith("PEER_")}
    if not stack.holds("HasRtmps"):
        local -= {"INGEST_RTMPS"}
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
    told = {
        "".join(part.title() for part in key.removeprefix("headwater:").split("-"))
        for key in Stack.scenario("primary")["Stage"]["Tags"]
    }
    asked = {
        reference.split(".")[1].rstrip(">")
        for name in SCENARIOS
        for reference in re.findall(r"<Peer\.[A-Za-z]+>", json.dumps(Stack.scenario(name).resources))
    }
    known_without_asking = {"ApiId", "ApiHost", "ApiEndpoint", "OriginShield", "PeerOriginShield"}
    assert asked - known_without_asking <= told


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
    listeners = {(one["Port"], one["Protocol"]) for one in stack.of_type("AWS::ElasticLoadBalancingV2::Listener").values()}
    assert listeners == {(1935, "TCP")} | ({(443, "TLS")} if stack.holds("HasRtmps") else set())
    assert stack["Balancer"]["SecurityGroups"] == ["<BalancerSecurityGroup>"]
    assert stack["RtmpListener"]["ListenerAttributes"] == [{"Key": "tcp.idle_timeout.seconds", "Value": "120"}]
    attributes = {a["Key"]: a["Value"] for a in stack["RtmpTargets"]["TargetGroupAttributes"]}
    assert attributes == {
        "preserve_client_ip.enabled": "true",
        "deregistration_delay.timeout_seconds": "120",
        "deregistration_delay.connection_termination.enabled": "false",
    }


def seconds(name, *path):
    """A `Duration` of the code in whole seconds."""
    text = read(*path)
    (found,) = re.findall(rf"\b{name}: (?:Duration = )?Duration::from_secs\((\d+)\)", text)
    return int(found)


def test_a_gateway_that_is_replaced_has_left_before_anybody_ends_it(stack):
    """Deregistration, the delay, SIGTERM, the gateway's own time, SIGKILL: each before the next, and the document says them."""
    config = ("transcoder", "src", "gateway", "limits.rs")
    attributes = {a["Key"]: a["Value"] for a in stack["RtmpTargets"]["TargetGroupAttributes"]}
    delay = int(attributes["deregistration_delay.timeout_seconds"])
    # The balancer resets nothing itself; it takes two minutes at most to send nobody any more.
    assert attributes["deregistration_delay.connection_termination.enabled"] == "false"
    assert 60 <= delay <= 120
    (container,) = stack["GatewayTask"]["ContainerDefinitions"]
    killed_after = int(container["StopTimeout"])
    assert killed_after == seconds("STOP_TIMEOUT", *config)
    close = seconds("CLOSE_TIMEOUT", *config)
    own = seconds("move_timeout", *config) + close + max(seconds("drain_timeout", *config), close)
    assert own < killed_after, "limits.rs has the same sum (leaves_within)"
    # An encoder that was cut comes back while its broadcast waits for it.
    window = int(re.search(r"reconnect_window_seconds: (\d+),", read("crates", "domain", "src", "stream.rs"))[1])
    assert seconds("move_timeout", *config) + close < window
    # Protection that nobody renews (a gateway that hangs) ends before CloudFormation gives up, with all of that behind it.
    expires = int(re.search(r"expires_minutes: (\d+),", read("transcoder", "src", "gateway", "control", "protection.rs"))[1]) * 60
    assert expires + delay + killed_after < 3 * 3600
    operations = read("docs", "operations.md")
    assert f"{delay} s (the target group's deregistration delay)" in operations
    assert f"{killed_after} s" in operations and "15 minutes" not in operations


def test_a_task_that_is_retired_knows_how_long_it_has(stack):
    """It goes on until a standby can take over, and leaves before it is killed (crates/task/src/task/leaving.rs)."""
    (container,) = stack["TranscoderTask"]["ContainerDefinitions"]
    told = {v["Name"]: v["Value"] for v in container["Environment"]}["STOP_TIMEOUT_SECONDS"]
    assert int(told) == int(container["StopTimeout"])
    leaving = ("crates", "task", "src", "task", "leaving.rs")
    assert 0 < seconds("TOLD_BEFORE", *leaving) < seconds("LEAVES_BEFORE", *leaving) < int(told)


def test_a_deploy_leaves_scaling_alone_and_drains(stack):
    service = stack["GatewayService"]
    assert "DesiredCount" not in service
    assert service["AvailabilityZoneRebalancing"] == "DISABLED"
    assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100
    # Old gateways learn from the hooks that they are superseded; so the hooks go first.
    assert "HooksFunction" in stack.resources["GatewayService"]["DependsOn"]
    # What tells them is the definition's own ARN, so nothing of it can change without them: no list of parameters to keep.
    assert stack["HooksFunction"]["Environment"]["Variables"]["GATEWAY_REVISION"] == "<GatewayTask>"
    environment = {v["Name"] for v in stack["GatewayTask"]["ContainerDefinitions"][0]["Environment"]}
    assert "GATEWAY_REVISION" not in environment


#: Another value of each parameter, as far as its default allows one that stays right.
OTHERWISE = {
    "Deployment": "other",
    "Role": "secondary",
    "PeerRegion": "ap-southeast-2",
    "PeerJoined": "true",
    "Revision": "2",
    "SecretsRevision": "2",
    "Architecture": "x86_64",
    "ImageRepository": "other",
    "ImageTag": "9.9.9",
    "GatewayCpu": "1024",
    "GatewayMemory": "4096",
    "GatewayMinTasks": "2",
    "GatewayMaxTasks": "9",
    "TableProtection": "true",
}
#: What makes, moves and ends a peer.
JOINING = ("PeerRegion", "PeerJoined", "Revision")


def test_whatever_changes_a_gateway_changes_its_revision_and_a_peer_does_not_change_it():
    """The revision is the definition itself, so a task that differs is another revision whichever parameter did it."""
    before = Stack({"Role": "primary", "PeerRegion": SECONDARY})
    changed = set()
    for name, default in before.parameters.items():
        value = OTHERWISE.get(name) or {"true": "false", "false": "true"}.get(default, f"{default}1")
        parameters = {"Role": "primary", "PeerRegion": SECONDARY, name: value}
        after = Stack(parameters, region=before.region)
        if after["GatewayTask"] != before["GatewayTask"]:
            changed.add(name)
        revision = after["HooksFunction"]["Environment"]["Variables"]["GATEWAY_REVISION"]
        assert revision == "<GatewayTask>", name
    assert {"ImageTag", "GatewayCpu", "GatewayMemory", "Architecture", "SecretsRevision", "Deployment"} <= changed
    assert not changed & set(JOINING), "a peer that comes, goes or is exchanged replaces no gateway"


def test_a_gateway_is_the_same_with_and_without_a_peer():
    tasks = [
        Stack({"Role": "primary", **peer})["GatewayTask"]
        for peer in (
            {},
            {"PeerRegion": SECONDARY},
            {"PeerRegion": SECONDARY, "PeerJoined": "true"},
            {"PeerRegion": "ap-southeast-2", "PeerJoined": "true"},
        )
    ]
    assert all(task == tasks[0] for task in tasks)
    assert "<Peer." not in json.dumps(tasks[0])


def test_gateways_hear_of_the_peer_when_they_start_and_while_they_run(stack):
    """ECS reads the parameter for one that starts, the hooks tell one that runs, a task's definition tells a new task."""
    told = stack["HooksFunction"]["Environment"]["Variables"]["PEER"]
    assert stack["PeerNow"]["Value"] == told
    (gateway,) = stack["GatewayTask"]["ContainerDefinitions"]
    (secret,) = [secret for secret in gateway["Secrets"] if secret["Name"] == "PEER"]
    name = stack["PeerNow"]["Name"]
    arn = f"arn:aws:ssm:{stack.region}:{ACCOUNT}:parameter{name}"
    assert secret["ValueFrom"] == arn
    (statement,) = [s for s in policies(stack, "GatewayExecutionRole") if s["Sid"] == "PeerNow"]
    assert (statement["Action"], statement["Resource"]) == ("ssm:GetParameters", arn)
    assert "PeerNow" in stack.resources["GatewayService"]["DependsOn"], "it must be there before a task starts"
    (transcoder,) = stack["TranscoderTask"]["ContainerDefinitions"]
    environment = {variable["Name"]: variable["Value"] for variable in transcoder["Environment"]}
    assert environment["PEER"] == told
    if stack.holds("KnowsPeer"):
        assert json.loads(told) == {
            "region": stack.parameters["PeerRegion"],
            "api": "<Peer.ApiEndpoint>",
            "media_bucket": "<Peer.MediaBucket>",
        }
    else:
        assert json.loads(told) is None


def test_gateways_scale_on_their_sessions():
    stack = Stack({"GatewayMinTasks": "1", "GatewayMaxTasks": "4"})
    tracking = stack["GatewayScalingPolicy"]["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["CustomizedMetricSpecification"]["MetricName"] == "Sessions"
    assert '"Sessions"' in "".join(p.read_text() for p in (ROOT / "transcoder/src/gateway").rglob("*.rs"))


def test_as_many_gateways_run_as_is_said():
    """A new service begins with one task whatever the bounds are; only a scheduled action brings it inside."""
    for low, high in ((1, 1), (1, 4), (2, 2), (2, 4), (5, 5), (3, 50)):
        stack = Stack({"GatewayMinTasks": str(low), "GatewayMaxTasks": str(high)})
        assert "DesiredCount" not in stack["GatewayService"], "deploys would undo what scaling has decided"
        bounds = {"MinCapacity": str(low), "MaxCapacity": str(high)}
        target = stack["GatewayScaling"]
        assert bounds.items() <= target.items()
        (action,) = target["ScheduledActions"]
        assert action["ScalableTargetAction"] == bounds
        assert action["Schedule"] == "rate(5 minutes)" and "EndTime" not in action
        assert ("GatewayScalingPolicy" in stack) == (low != high)


def test_hooks_start_the_task_that_the_stack_defines(stack):
    variables = stack["HooksFunction"]["Environment"]["Variables"]
    assert variables["ECS_TASK_DEFINITION"] == stack["TranscoderTask"]["Family"]
    assert stack["TaskStoppedRule"]["EventPattern"]["detail"]["group"] == [
        f"family:{stack['TranscoderTask']['Family']}"
    ]
    (container,) = stack["TranscoderTask"]["ContainerDefinitions"]
    assert f'CONTAINER: &str = "{container["Name"]}"' in read("crates", "aws", "src", "tasks.rs")


# ---------------------------------------------------------------------------------------------- watching


def test_alarms_and_dashboard_look_at_metrics_that_exist(stack):
    code = "".join(
        path.read_text()
        for folder in ("functions/src", "transcoder/src", "crates")
        for path in (ROOT / folder).rglob("*.rs")
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
        assert (
            target["Arn"] == "<LifecycleFunction.Arn>"
            and target["DeadLetterConfig"]["Arn"] == "<LifecycleFailures.Arn>"
        )
    failed = [c for c in stack.of_type("AWS::Lambda::EventInvokeConfig").values()]
    assert failed[0]["DestinationConfig"]["OnFailure"]["Destination"] == "<LifecycleFailures.Arn>"
