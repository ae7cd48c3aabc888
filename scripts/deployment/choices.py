"""What the operator wants, from the environment. `make help` and docs/operations.md say the same."""

import os
import platform
import re
from pathlib import Path

from cli import Refusal

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURES = ("arm64", "x86_64")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")
STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,100}")


def machine():
    """This machine's architecture, in Lambda's words."""
    return {"arm64": "arm64", "aarch64": "arm64"}.get(platform.machine().lower(), "x86_64")


class Choices:
    """Regions, names, and what is to run."""

    def __init__(self, environment):
        def text(name, default):
            return environment.get(name, "") or default

        self.primary = text("PRIMARY", "us-east-1")
        # Empty is a choice: one region.
        self.secondary = environment.get("SECONDARY", "eu-west-1")
        self.stack = text("STACK", "headwater")
        self.deployment = text("DEPLOYMENT", "headwater")
        self.architecture = text("ARCHITECTURE", machine())
        self.image_repository = text("IMAGE_REPOSITORY", "headwater-transcoder")
        self.image_tag = text("IMAGE_TAG", "")
        self.parameters = text("PARAMETERS", "").split()
        self.primary_parameters = text("PRIMARY_PARAMETERS", "").split()
        self.secondary_parameters = text("SECONDARY_PARAMETERS", "").split()
        self.secret = text("SECRET", "")
        self.check()

    @classmethod
    def read(cls):
        return cls(os.environ)

    def check(self):
        for name, region in (("PRIMARY", self.primary), ("SECONDARY", self.secondary)):
            if region and not REGION.fullmatch(region):
                raise Refusal(f"{name} is '{region}', which is no name of an AWS region such as eu-west-1")
        if self.primary == self.secondary:
            raise Refusal(
                f"PRIMARY and SECONDARY are both {self.primary}; a deployment has two different regions, or SECONDARY= for one"
            )
        if self.architecture not in ARCHITECTURES:
            raise Refusal(f"ARCHITECTURE is '{self.architecture}'; it is arm64 or x86_64")
        if not STACK_NAME.fullmatch(self.stack):
            raise Refusal(f"STACK is '{self.stack}'; it is letters, digits and hyphens, beginning with a letter")
        for one in self.parameters + self.primary_parameters + self.secondary_parameters:
            if "=" not in one:
                raise Refusal(f"'{one}' is no parameter; write Name=value, separated by spaces")

    def stacks(self):
        """Region and stack name of each region, the primary first. The secondary's name differs, so that roles, which are
        the whole account's, can be told apart."""
        both = [(self.primary, self.stack)]
        if self.secondary:
            both.append((self.secondary, f"{self.stack}-secondary"))
        return both

    def given(self, name, primary):
        """The value that the operator gives a template parameter, if any."""
        own = self.primary_parameters if primary else self.secondary_parameters
        for one in reversed(self.parameters + own):
            key, value = one.split("=", 1)
            if key == name:
                return value
        return None
