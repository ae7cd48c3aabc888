"""The AWS and SAM CLIs, called as programs. Knows nothing of Headwater."""

import json
import os
import re
import subprocess
import sys

#: Seconds for one call of the AWS CLI: its own time-outs and retries end before.
CALL_SECONDS = 120


class Refusal(Exception):
    """What stands in the way, as a sentence that says what to do."""


class AwsError(Exception):
    """AWS refused a call."""

    def __init__(self, call, code, message):
        super().__init__(f"{call}: {code}: {message}")
        self.call, self.code, self.message = call, code, message


def say(text=""):
    print(text, flush=True)


class Aws:
    """One region's services."""

    def __init__(self, region):
        self.region = region

    def __call__(self, service, operation, *arguments):
        """The answer of one call, read from JSON. `AwsError` if AWS refuses, `Refusal` if the CLI cannot call."""
        words = ["aws", service, operation, "--region", self.region, "--output", "json"]
        words += ["--cli-connect-timeout", "5", "--cli-read-timeout", "30", *map(str, arguments)]
        call = f"aws {service} {operation} --region {self.region}"
        environment = {**os.environ, "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "3"}
        try:
            done = subprocess.run(
                words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=CALL_SECONDS
            )
        except FileNotFoundError:
            raise Refusal("the AWS CLI is missing; install it: https://aws.amazon.com/cli/") from None
        except subprocess.TimeoutExpired:
            raise AwsError(call, "Timeout", f"no answer within {CALL_SECONDS} s") from None
        if done.returncode != 0:
            raise error_of(call, done.stderr)
        try:
            return json.loads(done.stdout) if done.stdout.strip() else {}
        except ValueError:
            raise AwsError(call, "Garbled", "the answer is no JSON") from None


def error_of(call, text):
    """What the CLI prints: `An error occurred (Code) when calling the Operation operation: message`."""
    text = " ".join(text.split())
    found = re.search(r"An error occurred \(([A-Za-z0-9.]+)\) when calling the \w+ operation[^:]*: (.*)", text)
    if found:
        return AwsError(call, found[1], found[2])
    if re.search(r"Unable to locate credentials|Partial credentials|could not be found|token.*expired|SSO", text, re.I):
        return AwsError(call, "NoCredentials", text)
    return AwsError(call, "Unknown", text or "the AWS CLI says nothing")


def sam(*words):
    """Runs the SAM CLI before the operator's eyes; its exit code."""
    try:
        return subprocess.run(["sam", *words], stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError:
        raise Refusal(
            "the SAM CLI is missing; install it: "
            "https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html"
        ) from None


def confirmed(question):
    """Whether the operator says yes; `CONFIRM=yes` says it beforehand, and without a terminal nobody does."""
    if os.environ.get("CONFIRM") == "yes":
        return True
    if not sys.stdin.isatty():
        return False
    return input(f"{question} Type yes: ").strip() == "yes"
