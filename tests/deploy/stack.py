"""template.yaml as CloudFormation sees it: translated by SAM, then evaluated for one set of parameters.

Only what the template uses is evaluated. What CloudFormation would learn at deploy time (`Ref` and `Fn::GetAtt` of
resources) becomes a token such as `<MediaBucket.Arn>`, so that tests can say "this is the bucket's ARN".
"""

import copy
import functools
import os
import re
from pathlib import Path

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
PRIMARY, SECONDARY, ACCOUNT = "us-east-1", "eu-west-1", "123456789012"

#: Parameter sets that stand for the ways to deploy.
SCENARIOS = {
    "single": {"Role": "primary"},
    "primary": {"Role": "primary", "PeerRegion": SECONDARY},
    "joined": {"Role": "primary", "PeerRegion": SECONDARY, "PeerJoined": "true"},
    "secondary": {"Role": "secondary", "PeerRegion": PRIMARY},
    "everything": {
        "Role": "primary",
        "PeerRegion": SECONDARY,
        "PeerJoined": "true",
        "GlobalAccelerator": "true",
        "IngestCertificateArn": f"arn:aws:acm:{PRIMARY}:{ACCOUNT}:certificate/1",
        "IngestDomain": "ingest.example.com",
        "PlaybackDomain": "live.example.com",
        "PlaybackCertificateArn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/2",
        "ApiDomain": "api.example.com",
        "ApiCertificateArn": f"arn:aws:acm:{PRIMARY}:{ACCOUNT}:certificate/3",
        "HostedZoneId": "Z0123456789ABC",
        "WebAclArn": f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/x/1",
        "HooksReservedConcurrency": "100",
        "PlaylistReservedConcurrency": "200",
        "LowLatencyReservedConcurrency": "400",
        "MediaExpirationDays": "30",
        "AlarmEmail": "ops@example.com",
    },
    "secondary with names": {
        "Role": "secondary",
        "PeerRegion": PRIMARY,
        "IngestCertificateArn": f"arn:aws:acm:{SECONDARY}:{ACCOUNT}:certificate/1",
        "IngestDomain": "ingest.example.com",
        "ApiDomain": "api.example.com",
        "ApiCertificateArn": f"arn:aws:acm:{SECONDARY}:{ACCOUNT}:certificate/3",
        "HostedZoneId": "Z0123456789ABC",
        "Routing": "weighted",
    },
}


@functools.cache
def source():
    """The template as it is written (intrinsics in their long form)."""
    return yaml_parse((ROOT / "template.yaml").read_text())


@functools.cache
def translated():
    """The template after the SAM transform."""
    os.environ.setdefault("AWS_DEFAULT_REGION", PRIMARY)
    template = copy.deepcopy(source())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # `sam package` puts the built code there.
            resource["Properties"]["CodeUri"] = "s3://packaged/function.zip"
    template["Globals"]["Function"].pop("CodeUri")
    return transform(template, {}, None)


NO_VALUE = object()


class Stack:
    """One stack: the resources, properties and outputs that a set of parameters makes."""

    def __init__(self, parameters, region=None):
        template = translated()
        role = parameters.get("Role", "primary")
        self.region = region or (PRIMARY if role == "primary" else SECONDARY)
        self.parameters = {name: str(d.get("Default", "")) for name, d in template["Parameters"].items()}
        self.parameters["ImageTag"] = "1.2.3"
        self.parameters.update(parameters)
        self.conditions = {}
        self._conditions = template["Conditions"]
        kept = {n: r for n, r in template["Resources"].items() if self.holds(r.get("Condition"))}
        self.names = set(kept)
        self.references = []
        self.resources = {name: self._resource(name, resource) for name, resource in kept.items()}
        self.outputs = {
            name: self.value(output["Value"], f"Outputs.{name}")
            for name, output in template["Outputs"].items()
            if self.holds(output.get("Condition"))
        }

    @classmethod
    def scenario(cls, name):
        return cls(SCENARIOS[name])

    def of_type(self, kind):
        return {name: r["Properties"] for name, r in self.resources.items() if r["Type"] == kind}

    def __getitem__(self, name):
        return self.resources[name]["Properties"]

    def __contains__(self, name):
        return name in self.resources

    def holds(self, condition):
        if condition is None:
            return True
        if condition not in self.conditions:
            self.conditions[condition] = self._truth(self._conditions[condition])
        return self.conditions[condition]

    def _truth(self, node):
        ((fn, argument),) = node.items()
        if fn == "Condition":
            return self.holds(argument)
        if fn == "Fn::Equals":
            left, right = (self.value(side, "Conditions") for side in argument)
            return str(left) == str(right)
        if fn == "Fn::Not":
            return not self._truth(argument[0])
        if fn == "Fn::And":
            return all(self._truth(part) for part in argument)
        if fn == "Fn::Or":
            return any(self._truth(part) for part in argument)
        raise AssertionError(f"not a condition: {fn}")

    def _resource(self, name, resource):
        made = {key: value for key, value in resource.items() if key != "Properties"}
        made["Properties"] = self.value(resource.get("Properties", {}), name)
        for other in (
            [made.get("DependsOn", [])] if isinstance(made.get("DependsOn", []), str) else made.get("DependsOn", [])
        ):
            self.references.append((name, other))
        return made

    def _reference(self, name, where):
        if name in self.parameters:
            return self.parameters[name]
        pseudo = {
            "AWS::Region": self.region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": "headwater",
            "AWS::NoValue": NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        self.references.append((where, name))
        return f"<{name}>"

    def value(self, node, where):
        if isinstance(node, list):
            return [made for item in node if (made := self.value(item, where)) is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((fn, argument),) = node.items()
            if fn == "Ref":
                return self._reference(argument, where)
            if fn.startswith("Fn::"):
                return self._function(fn, argument, where)
        return {key: made for key, item in node.items() if (made := self.value(item, where)) is not NO_VALUE}

    def _function(self, fn, argument, where):
        if fn == "Fn::If":
            condition, yes, no = argument
            return self.value(yes if self.holds(condition) else no, where)
        if fn == "Fn::GetAtt":
            name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
            self.references.append((where, name))
            return f"<{name}.{attribute}>"
        if fn == "Fn::Sub":
            text, names = argument if isinstance(argument, list) else (argument, {})
            return re.sub(r"\$\{([^!}]+)\}", lambda match: self._substitute(match[1], names, where), text)
        arguments = self.value(argument, where)
        if fn == "Fn::Select":
            return arguments[1][int(arguments[0])]
        if fn == "Fn::Split":
            parts = arguments[1].split(arguments[0])
            return parts if len(parts) > 1 else [f"{arguments[1]}[0]", f"{arguments[1]}[1]"]
        if fn == "Fn::FindInMap":
            name, first, second = arguments
            return translated()["Mappings"][name][first][second]
        if fn == "Fn::Cidr":
            block, count, bits = arguments
            return [f"cidr({block},{32 - int(bits)},{index})" for index in range(int(count))]
        if fn == "Fn::GetAZs":
            return [f"{self.region}a", f"{self.region}b"]
        if fn == "Fn::Join":
            return arguments[0].join(arguments[1])
        raise AssertionError(f"the tests do not know {fn}")

    def _substitute(self, name, names, where):
        if name in names:
            return str(self.value(names[name], where))
        if "." in name:
            return self._function("Fn::GetAtt", name, where)
        return str(self._reference(name, where))


def policies(stack, role):
    """The statements of a role."""
    return [s for policy in stack[role].get("Policies", []) for s in policy["PolicyDocument"]["Statement"]]


def listed(value):
    return value if isinstance(value, list) else [value]
