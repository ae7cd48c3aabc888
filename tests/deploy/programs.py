"""Stand-ins for programs in the PATH: an AWS CLI that answers from a script, and whatever else a test wants to fail.

What the stand-in is asked, and what it answers, is held against botocore's own service models: a call that the real CLI
would not take, or an answer that AWS would not give, fails the test.
"""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import botocore.loaders
import botocore.model
from botocore import xform_name
from stack import ROOT

#: Programs that scripts may count on: POSIX's, and bash.
EVERYWHERE = (
    "awk basename bash cat chmod cmp cp cut date dirname env find grep head id ls mkdir mv printf rm sed sh sleep sort tail "
    "test touch tr true uname uniq wc xargs"
).split()
#: Flags of the CLI itself.
GLOBAL = {"region", "output", "cli-connect-timeout", "cli-read-timeout", "max-items"}
LOADER = botocore.loaders.Loader()

AWS = """#!{python}
import json, os, sys
folder = os.path.dirname(os.path.abspath(__file__))
if sys.argv[1:] == ["--version"]:
    print("aws-cli/2.17.0 Python/3.11.7"); sys.exit(0)
with open(os.path.join(folder, "calls.jsonl"), "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
with open(os.path.join(folder, "answers.json")) as file:
    answers = json.load(file)
region = sys.argv[sys.argv.index("--region") + 1]
key = " ".join(sys.argv[1:3])
name = region + " " + key if region + " " + key in answers else key
given = answers.get(name)
if given is None:
    print("the test gives no answer to " + region + " " + key, file=sys.stderr); sys.exit(254)
answer = given.pop(0) if len(given) > 1 else given[0]
with open(os.path.join(folder, "answers.json"), "w") as file:
    json.dump(answers, file)
if "error" in answer:
    code, message = answer["error"]
    print("\\nAn error occurred (%s) when calling the X operation: %s" % (code, message), file=sys.stderr); sys.exit(254)
print(json.dumps(answer))
"""


def executable(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


class Programs:
    """A folder in front of the PATH."""

    def __init__(self, folder):
        self.folder = Path(folder) / "bin"
        self.folder.mkdir()
        # What every machine has, and nothing that only this one has.
        tools = Path(folder) / "tools"
        tools.mkdir()
        for name in EVERYWHERE:
            (tools / name).symlink_to(shutil.which(name))
        self.environment = {
            "PATH": f"{self.folder}:{tools}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
        }

    def add(self, name, body):
        """A shell program; what it is called with is in `log(name)`."""
        log = self.folder / f"{name}.log"
        executable(self.folder / name, f'#!/bin/sh\nprintf "%s\\n" "$*" >>"{log}"\n{body}\n')

    def log(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text().splitlines() if path.exists() else []

    def answers(self, answers):
        """The AWS CLI: "[region ]service operation" to one answer, or a list of them, of which the last stays."""
        for key, value in answers.items():
            for answer in value if isinstance(value, list) else [value]:
                if "error" not in answer:
                    service, operation = key.split()[-2:]
                    valid(model(service, operation).output_shape, answer, key)
        many = {key: value if isinstance(value, list) else [value] for key, value in answers.items()}
        (self.folder / "answers.json").write_text(json.dumps(many))
        executable(self.folder / "aws", AWS.replace("{python}", sys.executable))

    def calls(self):
        """What the AWS CLI was asked: (region, "service operation", flags), each checked."""
        path = self.folder / "calls.jsonl"
        found = []
        for line in path.read_text().splitlines() if path.exists() else []:
            service, operation, *flags = json.loads(line)
            found.append((flags[flags.index("--region") + 1], f"{service} {operation}", checked(service, operation, flags)))
        return found

    def called(self, name):
        return [flags for _, key, flags in self.calls() if key == name]

    def run(self, *words, cwd=ROOT, **environment):
        return subprocess.run(
            [str(word) for word in words],
            cwd=cwd,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )

    def deployment(self, command, **environment):
        return self.run(sys.executable, ROOT / "scripts" / "deployment", command, **environment)


def model(service, operation):
    description = LOADER.load_service_model(service, "service-2")
    found = botocore.model.ServiceModel(description, service)
    names = {xform_name(name, "-"): name for name in found.operation_names}
    assert operation in names, f"aws {service} has no {operation}"
    return found.operation_model(names[operation])


def checked(service, operation, flags):
    """The call's own flags, each known to the service, none that is required missing."""
    shape = model(service, operation).input_shape
    members = {xform_name(name, "-"): name for name in (shape.members if shape else {})}
    required = {xform_name(name, "-") for name in (shape.required_members if shape else [])}
    given, key = {}, None
    for word in flags:
        if word.startswith("--"):
            key = word[2:]
            given[key] = []
        else:
            given[key].append(word)
    own = {key: values for key, values in given.items() if key not in GLOBAL}
    for name in own:
        plain = name.removeprefix("no-")
        # The CLI's own spelling of some.
        assert plain in members or (service, name) in {("ec2", "all-regions")}, f"aws {service} {operation} has no --{name}"
    assert required <= set(own), f"aws {service} {operation} needs {required - set(own)}"
    return own


def valid(shape, value, where):
    """Whether AWS could answer so."""
    if shape is None:
        assert value == {}, f"{where} answers nothing"
        return
    if shape.type_name == "structure":
        assert isinstance(value, dict), where
        for key, item in value.items():
            assert key in shape.members, f"{where}: no {key} in {shape.name}"
            valid(shape.members[key], item, f"{where}.{key}")
    elif shape.type_name == "list":
        assert isinstance(value, list), where
        for item in value:
            valid(shape.member, item, f"{where}[]")
    elif shape.type_name in ("string", "character"):
        assert isinstance(value, str), where
        allowed = getattr(shape, "enum", None)
        assert not allowed or value in allowed, f"{where}: {value} is none of {allowed}"
    elif shape.type_name in ("integer", "long", "double", "float"):
        assert isinstance(value, (int, float)), where
    elif shape.type_name == "boolean":
        assert isinstance(value, bool), where
