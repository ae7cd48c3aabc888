"""A real encoder, the real gateway and the real task, with the environments and roles that were deployed."""

import json
import os
import socket
import tempfile

from emulator import free_ports, running, wait_for
from stack import PRIMARY, SECONDARY, Stack

from proof_steps.report import ARTIFACTS, check, say

TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.expanduser("~/.cache/headwater/target")) + "/debug"


def publish(proof, stack, stream):
    """A real encoder into the real gateway, the hook's RunTask, and the task that it asks for."""
    rtmp, source = free_ports(2)
    start_gateway(proof, stack, rtmp, source)
    start_encoder(stack, rtmp, stream["stream_key"]["value"])
    told = task_asked_for(proof)
    start_transcoder(proof, stack, told)
    return told["HEADWATER_BROADCAST"]


def emulated(proof, environment):
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


def start_gateway(proof, stack, rtmp, source):
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="headwater-proof-"))
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
        emulated(proof, environment | {peer["Name"]: told})
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


def start_encoder(stack, rtmp, key):
    encoder = [
        "ffmpeg", "-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i",
        "sine=frequency=440:sample_rate=48000", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50", "-c:a", "aac",
        "-t", "120", "-f", "flv", f"rtmp://127.0.0.1:{rtmp}/live/{key}",
    ]  # fmt: skip
    wait_for(lambda: socket.create_connection(("127.0.0.1", rtmp), 1).close() is None, 30, "the gateway's port")
    stack.enter_context(running(*encoder, env=os.environ, log=ARTIFACTS / "encoder.log"))


def task_asked_for(proof):
    """What the hook's RunTask tells the task, and where it is to run."""
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
    return told


def start_transcoder(proof, stack, told):
    environment, container, definition = proof.container_environment(PRIMARY, "headwater-transcoder")
    transcoder = emulated(proof, environment) | proof.role_environment(definition["taskRoleArn"]) | told
    stack.enter_context(
        running(f"{TARGET}/transcoder", *container["command"], env=transcoder, log=ARTIFACTS / "transcoder.log")
    )
    say("ok  the transcoder runs with its task definition's environment and role")
