"""Deploys both regions into an emulator with the commands of the README, and uses what was deployed.

The emulator runs the real functions from the packages that `sam build` made, behind the deployed HTTP APIs, and judges
every call by the deployed IAM policies. It starts no containers: the proof starts gateway and transcoder itself, with
the environment of the deployed task definitions and the credentials of the deployed task roles.

Usage: python3 tests/deploy/proof.py        (make deploy-local-proof)
Logs and the emulator's output stay in test-artifacts/deploy-proof.
"""

import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from urllib.parse import urljoin

from deployment import ARCHITECTURE, STACKS, Deployment
from emulator import Emulator, free_ports, running, wait_for
from stack import PRIMARY, ROOT, SECONDARY, Stack

TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.expanduser("~/.cache/headwater/target")) + "/debug"
ARTIFACTS = ROOT / "test-artifacts" / "deploy-proof"
#: The whole proof; a stuck deploy must not stall whoever waits for it.
MAX_SECONDS = 900

started = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)


def check(condition, text, detail=""):
    if not condition:
        raise AssertionError(f"{text}: {detail}")
    say(f"ok  {text}")


def build(proof):
    proof.command("sam", "build", "--parameter-overrides", f"Architecture={ARCHITECTURE}")
    say("ok  sam build")


def refuse_what_is_wrong(proof):
    """Wrong parameters and wrong order: refused at once, with a sentence that says what to do."""
    packaged = ARTIFACTS / "packaged.yaml"
    proof.command("sam", "package", "--resolve-s3", "--region", SECONDARY, "--output-template-file", packaged)
    always = {
        "AwsEndpointUrl": proof.emulator.url,
        "Architecture": ARCHITECTURE,
        "GatewayMaxTasks": "1",
        "ImageTag": "0.1.0",
    }
    cases = [
        ({"Role": "secondary"}, "A secondary needs PeerRegion"),
        ({"Role": "secondary", "PeerRegion": PRIMARY, "PeerJoined": "true"}, "PeerJoined is for the primary"),
        ({"Role": "primary", "PeerRegion": SECONDARY}, "PeerRegion must be another region"),
        ({"Role": "primary", "PeerJoined": "true"}, "PeerJoined=true needs PeerRegion"),
        (
            {"Role": "primary", "PlaybackDomain": "live.example.com"},
            "PlaybackDomain and PlaybackCertificateArn belong together",
        ),
        ({"Role": "primary", "ApiDomain": "api.example.com"}, "ApiDomain and ApiCertificateArn belong together"),
        (
            {"Role": "primary", "TranscoderCpu": "8192", "TranscoderMemory": "2048"},
            "Fargate does not offer this TranscoderMemory",
        ),
        ({"Role": "primary", "InService": "false"}, "needs HostedZoneId"),
        # CloudFormation answers with the parameter's ConstraintDescription, the emulator with its allowed values.
        ({"Role": "Primary"}, "'Role'"),
        ({"Role": "primary", "PeerRegion": "europe"}, "PeerRegion"),
        ({"Role": "primary", "ImageTag": "repo:tag"}, "ImageTag"),
    ]
    cloudformation = proof.client("cloudformation", SECONDARY)
    template = packaged.read_text()
    bucket = re.search(r"s3://([^/]+)/", template)[1]  # too large to be sent inline: CloudFormation reads it from S3
    proof.client("s3", SECONDARY).put_object(Bucket=bucket, Key="packaged.yaml", Body=template.encode())
    for parameters, sentence in cases:
        try:
            cloudformation.create_change_set(
                StackName="wrong", ChangeSetName="wrong", ChangeSetType="CREATE", Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
                TemplateURL=f"{proof.emulator.url}/{bucket}/packaged.yaml",
                Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in {**always, **parameters}.items()],
            )  # fmt: skip
            described = wait_for(
                lambda: (
                    (c := cloudformation.describe_change_set(StackName="wrong", ChangeSetName="wrong"))["Status"]
                    not in ("CREATE_PENDING", "CREATE_IN_PROGRESS")
                    and c
                ),
                30,
                "the change set",
            )
            said = described["Status"] == "FAILED" and described.get("StatusReason", "")
            cloudformation.delete_stack(StackName="wrong")
        except cloudformation.exceptions.ClientError as error:
            said = str(error)
        check(said and sentence in said, f"refused: {parameters}", said)
    # This one gets as far as the resolver: there is no primary yet.
    result = proof.command(
        "sam", "deploy", "--stack-name", "wrong", "--region", SECONDARY, "--capabilities", "CAPABILITY_IAM", "--resolve-s3", "--parameter-overrides",
        "Role=secondary", f"PeerRegion={PRIMARY}", *(f"{k}={v}" for k, v in always.items()), check=False,
    )  # fmt: skip
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in cloudformation.describe_stack_events(StackName="wrong")["StackEvents"]
    ]
    sentence = f"deploy the primary in {PRIMARY} first"
    check(
        result.returncode != 0 and any(sentence in reason for reason in reasons),
        "refused: the secondary before the primary",
        reasons,
    )
    proof.command("sam", "delete", "--stack-name", "wrong", "--region", SECONDARY, "--no-prompts")


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


def rest_api(proof):
    """Create in one region, read in the other; keys; nobody without the token."""
    token = proof.client("secretsmanager", PRIMARY).get_secret_value(SecretId=proof.physical(PRIMARY, "AdminToken"))[
        "SecretString"
    ]
    status, _, text = proof.call(PRIMARY, "POST", "/v1/streams", {"name": "Proof", "settings": {"listed": True}}, token)
    check(status == 201, "a stream is created in the primary", text)
    stream = json.loads(text)
    status, _, text = wait_for(
        lambda: (found := proof.call(SECONDARY, "GET", f"/v1/streams/{stream['id']}", token=token))[0] == 200 and found,
        30,
        "the stream in the other region",
    )
    check(json.loads(text)["name"] == "Proof", "and read in the secondary, with the same token")
    for bad in (None, "wrong"):
        status, _, text = proof.call(SECONDARY, "GET", "/v1/streams", token=bad)
        check(status in (401, 403), f"no entry with token {bad}", status)
    path = f"/v1/streams/{stream['id']}/keys"
    status, _, text = proof.call(SECONDARY, "POST", path, {"label": "second"}, token)
    check(status == 201, "a second key is made in the secondary", text)
    key = json.loads(text)
    status, _, text = proof.call(SECONDARY, "DELETE", f"{path}/{key['id']}", token=token)
    check(status == 204, "and revoked", text)
    status, headers, text = proof.call(PRIMARY, "GET", "/v1/openapi.json")
    check(status == 200 and json.loads(text)["openapi"].startswith("3.1"), "the API describes itself", text[:200])
    return token, stream, key["value"]


def hooks(proof, revoked):
    """The hooks take signed calls of the roles that may, and nobody else's."""
    question = {
        "gateway": {"region": PRIMARY, "source": "http://127.0.0.1:9"},
        "session": "0000000000000001",
        "app": "live",
        "key": revoked,
        "address": "203.0.113.7:5000",
        "query": {},
    }
    gateway, transcoder = proof.role(PRIMARY, "GatewayRole"), proof.role(PRIMARY, "TranscoderRole")
    status, answer = proof.hook(PRIMARY, "/hooks/publish", question, gateway)
    check(status == 200 and answer["decision"] == "deny", "the publish hook denies a revoked key", answer)
    status, answer = proof.hook(SECONDARY, "/hooks/publish", question, gateway)
    check(status == 200 and answer["decision"] == "deny", "the gateway may ask the other region's hook", answer)
    status, _ = proof.hook(PRIMARY, "/hooks/publish", question, transcoder)
    check(status == 403, "a transcoder may not call the publish hook", status)
    status, _, _ = proof.call(PRIMARY, "POST", "/hooks/publish", question)
    check(status == 403, "an unsigned call is refused", status)


def publish(proof, stack, stream):
    """A real encoder into the real gateway, the hook's RunTask, and the task that it asks for."""
    rtmp, source = free_ports(2)
    url = f"rtmp://127.0.0.1:{rtmp}/live"
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="headwater-proof-"))

    def emulated(environment):
        """What differs off AWS: addresses."""
        return {
            **environment,
            "API_URL": proof.api_url(PRIMARY),
            "PEER": json.dumps(json.loads(environment["PEER"]) | {"api": proof.api_url(SECONDARY)}),
            "AWS_ENDPOINT_URL": proof.emulator.url,
            "AWS_REGION": PRIMARY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PATH": os.environ["PATH"],
        }

    environment, container, definition = proof.container_environment(PRIMARY, "headwater-gateway")
    signing = proof.client("secretsmanager", PRIMARY, role=proof.role(PRIMARY, "GatewayExecutionRole"))
    # The emulator does not give back which secrets a container has: from the template.
    secret, peer = Stack.scenario("joined")["GatewayTask"]["ContainerDefinitions"][0]["Secrets"]
    # The emulator judges this call by no parameter's name, so no role with less than all may make it: test_programs.py has the right.
    parameters = proof.client("ssm", PRIMARY)
    told = parameters.get_parameters(Names=[peer["ValueFrom"].split(":parameter")[1]])["Parameters"][0]["Value"]
    check(json.loads(told)["region"] == SECONDARY, "a gateway that starts is told of its peer", told)
    arn = proof.client("secretsmanager", PRIMARY).describe_secret(
        SecretId=proof.physical(PRIMARY, secret["ValueFrom"].strip("<>").removesuffix(".Id"))
    )["ARN"]
    gateway = (
        emulated(environment | {peer["Name"]: told})
        | proof.role_environment(definition["taskRoleArn"])
        | {
            secret["Name"]: signing.get_secret_value(SecretId=arn)["SecretString"],
            "RTMP_LISTEN": f"127.0.0.1:{rtmp}",
            "SOURCE_LISTEN": f"127.0.0.1:{source}",
            "SOURCE_URL": f"http://127.0.0.1:{source}",
            "SPOOL_DIR": folder,
        }
    )
    stack.enter_context(
        running(f"{TARGET}/transcoder", *container["command"], env=gateway, log=ARTIFACTS / "gateway.log")
    )
    say("ok  the gateway runs with its task definition's environment and role")
    encoder = [
        "ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i",
        "sine=frequency=440:sample_rate=48000", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac",
        "-t", "120", "-f", "flv", f"{url}/{stream['stream_key']['value']}",
    ]  # fmt: skip
    wait_for(lambda: socket.create_connection(("127.0.0.1", rtmp), 1).close() is None, 30, "the gateway's port")
    stack.enter_context(running(*encoder, env=os.environ, log=ARTIFACTS / "encoder.log"))

    ecs = proof.client("ecs", PRIMARY)
    cluster = proof.physical(PRIMARY, "Cluster")

    def asked_for():
        tasks = ecs.list_tasks(cluster=cluster, family="headwater-transcoder")["taskArns"]
        return tasks and ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"][0]

    task = wait_for(asked_for, 60, "RunTask")
    check(
        "task-definition/headwater-transcoder:" in task["taskDefinitionArn"],
        "the hook has called RunTask with the stack's task definition",
        task,
    )
    (override,) = task["overrides"]["containerOverrides"]
    told = {variable["name"]: variable["value"] for variable in override["environment"]}
    check(
        set(told) == {"HEADWATER_BROADCAST", "HEADWATER_LEASE", "HEADWATER_LEASE_CLAIM"},
        # The claim is worth nothing without the task's role, and only to the first process that shows it (ADR 25).
        "the task is told its broadcast, its lease and that it was granted",
        told,
    )
    check(told["HEADWATER_LEASE"].startswith(f"1.{PRIMARY}."), "its lease is the region's first", told)
    configured = proof.client("lambda", PRIMARY).get_function_configuration(
        FunctionName=proof.physical(PRIMARY, "HooksFunction")
    )["Environment"]["Variables"]
    subnets = {proof.physical(PRIMARY, "SubnetA"), proof.physical(PRIMARY, "SubnetB")}
    check(
        set(configured["ECS_SUBNETS"].split(",")) == subnets
        and configured["ECS_SECURITY_GROUPS"] == proof.physical(PRIMARY, "TranscoderSecurityGroup"),
        "in the stack's subnets and security group",
        configured,
    )
    attached = {
        detail["value"] for a in task.get("attachments", []) for detail in a["details"] if detail["name"] == "subnetId"
    }
    check(not attached or attached <= subnets, "and the task is there", attached)

    environment, container, definition = proof.container_environment(PRIMARY, "headwater-transcoder")
    transcoder = emulated(environment) | proof.role_environment(definition["taskRoleArn"]) | told
    stack.enter_context(
        running(f"{TARGET}/transcoder", *container["command"], env=transcoder, log=ARTIFACTS / "transcoder.log")
    )
    say("ok  the transcoder runs with its task definition's environment and role")
    return told["HEADWATER_BROADCAST"]


def watch(proof, token, stream, broadcast):
    """Playlists from both regions, media from both buckets."""
    secret = proof.client("secretsmanager", PRIMARY).get_secret_value(SecretId=proof.physical(PRIMARY, "OriginSecret"))[
        "SecretString"
    ]
    edge = lambda attempt: {"X-Headwater-Try": attempt, "X-Headwater-Origin": secret}
    path = f"/live/{stream['id']}/index.m3u8"
    status, _, text = wait_for(
        lambda: (found := proof.call(PRIMARY, "GET", path, headers=edge("1")))[0] == 200 and found,
        90,
        "the multivariant playlist",
    )
    check("#EXT-X-STREAM-INF" in text, "the multivariant playlist is there", text)
    media = urljoin(path, next(line for line in text.splitlines() if line.endswith(".m3u8") and not line.startswith("#")))
    status, _, text = wait_for(
        lambda: (
            (found := proof.call(PRIMARY, "GET", media, headers=edge("1")))[0] == 200
            and "#EXTINF" in found[2]
            and found
        ),
        60,
        "the media playlist",
    )
    named = [line for line in text.splitlines() if line.endswith(".m4s")]
    segments = [urljoin(media, line) for line in named]
    check(segments, "the primary's media playlist names segments", text)
    status, _, other = wait_for(
        lambda: (
            (found := proof.call(SECONDARY, "GET", media, headers=edge("2")))[0] == 200
            and named[0] in found[2]
            and found
        ),
        60,
        "the other region's playlist",
    )
    check(status == 200, "the secondary's playlist names them too")
    status, _, _ = proof.call(PRIMARY, "GET", path, headers={"X-Headwater-Try": "1", "X-Headwater-Origin": "guessed"})
    check(status == 403, "playlists are for the edge only", status)
    for region in STACKS:
        bucket = proof.outputs(region)["RetainedBucket"]
        body = wait_for(
            lambda: proof.client("s3", region).get_object(Bucket=bucket, Key=segments[0].lstrip("/"))["Body"].read(),
            30,
            f"the segment in {bucket}",
        )
        check(body[4:8] in (b"styp", b"moof"), f"the segment is in {region}'s bucket", body[:16])
    status, _, text = proof.call(SECONDARY, "GET", f"/v1/streams/{stream['id']}", token=token)
    check(
        json.loads(text)["live"]["state"] == "live" if "live" in json.loads(text) else "live" in text,
        "the secondary's API says live",
        text,
    )


def hostile_transcoder(proof, broadcast):
    """What the transcoder's role may not do, though it parses hostile media. The emulator knows no dynamodb:LeadingKeys;
    that it may write TIMELINE# only is seen on the template (test_policies.py)."""
    role = proof.role(PRIMARY, "TranscoderRole")
    table, bucket = proof.outputs(PRIMARY)["RetainedTable"], proof.outputs(PRIMARY)["RetainedBucket"]
    dynamodb, s3 = proof.client("dynamodb", PRIMARY, role), proof.client("s3", PRIMARY, role)
    item = lambda pk: {"PK": {"S": pk}, "SK": {"S": "x"}}
    attempts = {
        "read the timeline": lambda: dynamodb.query(
            TableName=table,
            KeyConditionExpression="PK = :p",
            ExpressionAttributeValues={":p": {"S": f"TIMELINE#{broadcast}"}},
        ),
        "delete from it": lambda: dynamodb.delete_item(TableName=table, Key=item("TIMELINE#x")),
        "read media": lambda: s3.get_object(Bucket=bucket, Key=f"{PRIMARY}/media/x"),
        "replace the player page": lambda: s3.put_object(Bucket=bucket, Key="web/index.html", Body=b"x"),
        "write the other region's media": lambda: s3.put_object(Bucket=bucket, Key=f"{SECONDARY}/media/x", Body=b"x"),
        "read a secret": lambda: proof.client("secretsmanager", PRIMARY, role).get_secret_value(
            SecretId=proof.physical(PRIMARY, "SigningKey")
        ),
        "start a task": lambda: proof.client("ecs", PRIMARY, role).run_task(
            cluster="headwater", taskDefinition="headwater-transcoder"
        ),
    }
    for what, attempt in attempts.items():
        try:
            attempt()
            refused = False
        except Exception as error:  # noqa: BLE001: botocore makes its classes at run time
            refused = "AccessDenied" in str(error)
        check(refused, f"the transcoder's role may not {what}")
    dynamodb.put_item(TableName=table, Item=item("TIMELINE#proof"))
    say("ok  it may put a timeline entry")


def every_event(proof):
    """Every sample event works with the deployed function that it is for."""
    functions = proof.client("lambda", PRIMARY)
    count = 0
    for path in sorted((ROOT / "events").glob("*.json")):
        name = path.name.split("-")[0]
        if name == "deployment":
            continue  # They carry an answer address of AWS; the stacks themselves have called that function.
        answer = functions.invoke(
            FunctionName=proof.physical(PRIMARY, f"{name.title()}Function"), Payload=path.read_bytes()
        )
        payload = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            raise AssertionError(f"{path.name}: {payload}")
        count += 1
    check(count > 20, f"{count} sample events work with the deployed functions")


def schedule(proof):
    """EventBridge's minute rule reaches the lifecycle function."""
    logs = proof.client("logs", PRIMARY)
    group = proof.physical(PRIMARY, "FunctionLogs")

    def swept():
        return [e for e in logs.filter_log_events(logGroupName=group)["events"] if "sweep finished" in e["message"]]

    check(wait_for(swept, 100, "the sweep"), "the sweep has fired")


def logs_are_clean(proof, token, stream):
    """No key, token or secret is in any log."""
    secrets = [token, stream["stream_key"]["value"]]
    for logical in ("AdminToken", "KeyPepper", "SigningKey", "OriginSecret"):
        secrets.append(
            proof.client("secretsmanager", PRIMARY).get_secret_value(SecretId=proof.physical(PRIMARY, logical))[
                "SecretString"
            ]
        )
    read = 0
    for region in STACKS:
        logs = proof.client("logs", region)
        for logical in ("FunctionLogs", "AccessLogs"):
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=proof.physical(region, logical)):
                for event in page["events"]:
                    read += 1
                    assert not any(secret in event["message"] for secret in secrets), event["message"][:200]
    for name in ("gateway.log", "transcoder.log"):
        text = (ARTIFACTS / name).read_text()
        read += text.count("\n")
        assert not any(secret in text for secret in secrets), name
    check(read > 20, f"{read} log lines hold no secret")


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


def main():
    shutil.rmtree(ARTIFACTS, ignore_errors=True)
    ARTIFACTS.mkdir(parents=True)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"not done after {MAX_SECONDS} s"))
    signal.alarm(MAX_SECONDS)
    with ExitStack() as stack:
        # Everything that is started leaves its temporary files there.
        os.environ["TMPDIR"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="headwater-proof-"))
        tempfile.tempdir = None
        emulator = stack.enter_context(Emulator(ARTIFACTS / "emulator.log"))
        proof = Deployment(emulator)
        say(f"the emulator runs at {emulator.url}")
        try:
            build(proof)
            refuse_what_is_wrong(proof)
            deploy(proof)
            token, stream, revoked = rest_api(proof)
            hooks(proof, revoked)
            with ExitStack() as media:
                broadcast = publish(proof, media, stream)
                watch(proof, token, stream, broadcast)
                hostile_transcoder(proof, broadcast)
            every_event(proof)
            schedule(proof)
            logs_are_clean(proof, token, stream)
            update(proof)
            leave_the_peer(proof, token)
            delete(proof)
        except BaseException:
            say(f"FAILED; logs are in {ARTIFACTS}")
            raise
    say("the deployment is proved")


if __name__ == "__main__":
    main()
