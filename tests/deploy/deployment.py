"""The deployment that the proof works on: commands, what was deployed, and calls in the name of its roles."""

import json
import os
import urllib.error
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from emulator import run
from stack import PRIMARY, ROOT, SECONDARY

STACKS = {PRIMARY: "headwater", SECONDARY: "headwater-secondary"}
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[os.uname().machine]


class Deployment:
    """The deployment under test, and the ways to reach it."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.trusting = set()
        self.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": emulator.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": PRIMARY,
            "SAM_CLI_TELEMETRY": "0",
            "ARCHITECTURE": ARCHITECTURE,
            "IMAGE_TAG": "0.1.0",
            # Endpoints, and what the emulator has not: autoscaling. A changed protection replaces its table (on AWS it does
            # not: "Update requires: No interruption"), so it stays off; test_deploying.py has when it is switched on.
            "PARAMETERS": f"AwsEndpointUrl={emulator.url} GatewayMaxTasks=1 TableProtection=false",
            # The tests' build; a release build differs in speed only.
            "PROFILE": "dev",
        }

    def client(self, service, region, role=None):
        credentials = self.assume(role) if role else None
        keys = credentials and dict(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        keys = keys or dict(aws_access_key_id="test", aws_secret_access_key="test")
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.emulator.url,
            config=Config(retries={"total_max_attempts": 2}),
            **keys,
        )

    def assume(self, role):
        """ECS's part: it assumes a task's roles for it. They trust nobody else, so their trust is widened for the proof."""
        iam, name = self.client("iam", PRIMARY), role.rsplit("/", 1)[1]
        if role not in self.trusting:
            trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
            assert trust["Statement"][0]["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}, trust
            trust["Statement"].append(
                {"Effect": "Allow", "Principal": {"AWS": role.split(":role/")[0] + ":root"}, "Action": "sts:AssumeRole"}
            )
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
            self.trusting.add(role)
        return self.client("sts", PRIMARY).assume_role(RoleArn=role, RoleSessionName="proof")["Credentials"]

    def command(self, *words, check=True, **more):
        return run([str(word) for word in words], cwd=ROOT, env={**self.environment, **more}, check=check)

    # ------------------------------------------------------------------------------------------ what was deployed

    def outputs(self, region):
        (stack,) = self.client("cloudformation", region).describe_stacks(StackName=STACKS[region])["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def status(self, region):
        try:
            (stack,) = self.client("cloudformation", region).describe_stacks(StackName=STACKS[region])["Stacks"]
            return stack["StackStatus"]
        except self.client("cloudformation", region).exceptions.ClientError:
            return None

    def physical(self, region, logical):
        found = self.client("cloudformation", region).describe_stack_resource(
            StackName=STACKS[region], LogicalResourceId=logical
        )
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def role(self, region, logical):
        return self.client("iam", region).get_role(RoleName=self.physical(region, logical))["Role"]["Arn"]

    def api_url(self, region):
        """The deployed API. Its own host name is one that only browsers resolve, so by its path at the emulator."""
        return f"{self.emulator.url}/_aws/execute-api/{self.physical(region, 'HttpApi')}/$default"

    def call(self, region, method, path, body=None, token=None, headers=None):
        """One request to a region's deployed HTTP API: status, headers, text."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.api_url(region) + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read().decode()

    def hook(self, region, path, body, role):
        """A hook call, signed as the holder of a role."""
        keys = self.assume(role)
        url = self.api_url(region) + path
        request = AWSRequest("POST", url, data=json.dumps(body), headers={"Content-Type": "application/json"})
        credentials = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        SigV4Auth(credentials, "execute-api", region).add_auth(request)
        plain = urllib.request.Request(
            url,
            data=request.body.encode() if isinstance(request.body, str) else request.body,
            method="POST",
            headers=dict(request.headers),
        )
        try:
            with urllib.request.urlopen(plain, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def container_environment(self, region, family):
        definition = self.client("ecs", region).describe_task_definition(taskDefinition=family)["taskDefinition"]
        (container,) = definition["containerDefinitions"]
        return {variable["name"]: variable["value"] for variable in container["environment"]}, container, definition

    def role_environment(self, role):
        keys = self.assume(role)
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
