"""Looks at machine and account before the first deploy, changes nothing, and says for each thing: ok, or what to do.

Each check is a function that returns findings; `CHECKS` at the end is the table. A check that AWS does not allow, or that
finds a service out of reach, is a finding like any other.
"""

import json
import os
import re
import shutil
import subprocess

import machine
import stacks
import zones
from cli import Aws, AwsError, Refusal, say

OK, PROBLEM, NOTE = "ok", "problem", "note"
#: Oldest versions that these commands were tried with (README).
OLDEST_SAM = (1, 105, 0)
OLDEST_AWS = (1, 32, 0)
#: Service Quotas' codes ("Service endpoints and quotas", AWS General Reference), and what Headwater needs at least.
LAMBDA_CONCURRENCY, NEEDED_CONCURRENCY = "L-B99A9384", 100
FARGATE_VCPUS, NEEDED_VCPUS = "L-3032A538", 8
#: "Quotas", CloudFront Developer Guide: custom policies of a kind in an account, and what one deployment takes.
POLICIES, POLICIES_TAKEN = 20, 2
#: Roles that AWS makes with the first use of a service; a first deploy can fail while it does.
SERVICE_ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "replication.dynamodb.amazonaws.com": "AWSServiceRoleForDynamoDBReplication",
    "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "ops.apigateway.amazonaws.com": "AWSServiceRoleForAPIGateway",
}


def version(text):
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else None


def tool(name, oldest, where):
    path = shutil.which(name)
    if path is None:
        return (PROBLEM, f"{name} is missing", f"install it: {where}")
    try:
        text = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        text = ""
    found = version(text)
    if found is None:
        return (PROBLEM, f"{name} does not tell its version", f"install it anew: {where}")
    words = ".".join(map(str, found))
    if found < oldest:
        return (PROBLEM, f"{name} is version {words}", f"at least {'.'.join(map(str, oldest))} is needed: {where}")
    return (OK, f"{name} {words}", "")


def tools(choices):
    yield tool("aws", OLDEST_AWS, "https://aws.amazon.com/cli/")
    yield tool("sam", OLDEST_SAM, "https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html")
    named = os.environ.get("ENGINE")
    for name in [named] if named else ("docker", "podman", "buildah"):
        if shutil.which(name):
            trouble = machine.trouble_of(name)
            yield (PROBLEM, trouble, machine.remedy_of(name)) if trouble else (OK, f"{name} can make the image", "")
            return
    yield (PROBLEM, "nothing here makes container images", "install Docker or Podman (on Debian 12 also buildah)")


def credentials(choices):
    try:
        caller = Aws(choices.primary)("sts", "get-caller-identity")
        yield (OK, f"account {caller['Account']} as {caller['Arn'].split('/')[-1]}", "")
    except AwsError as error:
        yield (PROBLEM, f"no working credentials ({error.code})", "run `aws configure` or `aws sso login`, or set AWS_PROFILE")


def regions(choices):
    answer = Aws(choices.primary)("ec2", "describe-regions", "--all-regions")["Regions"]
    known = {one["RegionName"]: one.get("OptInStatus", "") for one in answer}
    for region, _ in choices.stacks():
        if region not in known:
            yield (PROBLEM, f"{region} is no region of this account's partition", "choose another PRIMARY or SECONDARY")
        elif known[region] == "not-opted-in":
            yield (PROBLEM, f"{region} is not enabled", f"aws account enable-region --region-name {region}")
        else:
            yield (OK, f"{region} is enabled", "")


def two_zones(choices):
    for region, _ in choices.stacks():
        found = zones.usable(Aws(region))
        words = f"{region}: {len(found)} zones with Fargate"
        yield (OK, words, "") if len(found) >= 2 else (PROBLEM, words, "two are needed; choose another region")


def quota(aws, service, code):
    try:
        return aws("service-quotas", "get-service-quota", "--service-code", service, "--quota-code", code)["Quota"]["Value"]
    except AwsError as error:
        if error.code != "NoSuchResourceException":
            raise
        # Never changed in this account: the default holds.
        answer = aws("service-quotas", "get-aws-default-service-quota", "--service-code", service, "--quota-code", code)
        return answer["Quota"]["Value"]


def quotas(choices):
    wanted = (
        ("lambda", LAMBDA_CONCURRENCY, NEEDED_CONCURRENCY, "concurrent Lambda executions", "ask for 1,000"),
        ("fargate", FARGATE_VCPUS, NEEDED_VCPUS, "Fargate vCPUs", "2 are needed for a 720p stream, 4 for 1080p"),
    )
    for region, _ in choices.stacks():
        for service, code, least, what, why in wanted:
            value = quota(Aws(region), service, code)
            if value >= least:
                yield (OK, f"{region}: {value:.0f} {what}", "")
            else:
                request = (
                    f"aws service-quotas request-service-quota-increase --region {region} --service-code {service} --quota-code {code} "
                    "--desired-value …"
                )
                yield (PROBLEM, f"{region}: {value:.0f} {what}; {why}", request)


def edge_policies(choices):
    aws = Aws("us-east-1")
    name = f"{choices.deployment}-{choices.primary}-"
    for kind, operation, items in (
        ("cache", "list-cache-policies", "CachePolicyList"),
        ("headers", "list-response-headers-policies", "ResponseHeadersPolicyList"),
    ):
        answer = aws("cloudfront", operation, "--type", "custom")[items]
        config = "CachePolicy" if kind == "cache" else "ResponseHeadersPolicy"
        names = [one[config][f"{config}Config"]["Name"] for one in answer.get("Items", [])]
        own = [one for one in names if one.startswith(name)]
        room = POLICIES - len(names)
        if own or room >= POLICIES_TAKEN:
            yield (OK, f"CloudFront: {len(names)} of {POLICIES} {kind} policies are taken", "")
        else:
            yield (
                PROBLEM, f"CloudFront: {len(names)} of {POLICIES} {kind} policies are taken, a deployment needs {POLICIES_TAKEN}",
                "delete some that nothing uses, or have the quota raised",
            )  # fmt: skip


def service_roles(choices):
    aws = Aws("us-east-1")
    for service, role in SERVICE_ROLES.items():
        try:
            aws("iam", "get-role", "--role-name", role)
            yield (OK, f"role {role}", "")
        except AwsError as error:
            if error.code != "NoSuchEntity":
                raise
            yield (
                NOTE, f"role {role} is not there; AWS makes it with the first deploy, which can fail once for that",
                f"aws iam create-service-linked-role --aws-service-name {service}",
            )  # fmt: skip


def images(choices):
    if not choices.image_tag:
        yield (NOTE, "no IMAGE_TAG is said; the image was not looked for", "make image push IMAGE_TAG=…, then make doctor IMAGE_TAG=…")
        return
    for region, _ in choices.stacks():
        name = f"{choices.image_repository}:{choices.image_tag}"
        try:
            machine.check_image(Aws(region), choices)
            yield (OK, f"{region}: image {name} for {choices.architecture}", "")
        except Refusal as refusal:
            problem, _, remedy = str(refusal).partition("; ")
            yield (PROBLEM, problem, remedy)


def build(choices):
    try:
        machine.check_build(choices)
        yield (OK, f"the functions are built for {choices.architecture}", "")
    except Refusal as refusal:
        problem, _, remedy = str(refusal).partition("; ")
        yield (NOTE, problem, remedy)


def certificates(choices):
    wanted = [("PlaybackCertificateArn", True, "us-east-1")]
    for region, _ in choices.stacks():
        primary = region == choices.primary
        wanted += [("IngestCertificateArn", primary, region), ("ApiCertificateArn", primary, region)]
    for name, primary, region in wanted:
        arn = choices.given(name, primary)
        if not arn:
            continue
        if f":acm:{region}:" not in arn:
            yield (PROBLEM, f"{name} is not in {region}: {arn}", f"request it there: aws acm request-certificate --region {region} …")
            continue
        status = Aws(region)("acm", "describe-certificate", "--certificate-arn", arn)["Certificate"]["Status"]
        yield (OK, f"{name} in {region} is issued", "") if status == "ISSUED" else (
            PROBLEM, f"{name} in {region} is {status}", "put the records that ACM asks for into DNS, and wait until it is ISSUED"
        )  # fmt: skip


def names(choices):
    for region, name in choices.stacks():
        now = stacks.status(Aws(region), name)
        if now is None:
            yield (OK, f"{region}: the name '{name}' is free", "")
        elif now.endswith("_COMPLETE") and now != "ROLLBACK_COMPLETE":
            yield (OK, f"{region}: stack '{name}' is {now}; a deploy will update it", "")
        else:
            yield (PROBLEM, f"{region}: stack '{name}' is {now}", "run make deploy: it says, and on confirmation does, what is needed")


#: What, and which calls it makes. Credentials first: without them nothing else can be asked.
CHECKS = [
    ("tools", tools),
    ("credentials", credentials),
    ("regions", regions),
    ("zones", two_zones),
    ("quotas", quotas),
    ("CloudFront policies", edge_policies),
    ("service roles", service_roles),
    ("certificates", certificates),
    ("stack names", names),
    ("functions", build),
    ("image", images),
]


def examine(choices):
    """All findings: (check, state, what, what to do)."""
    for title, check in CHECKS:
        problems = 0
        try:
            for state, what, remedy in check(choices):
                problems += state == PROBLEM
                yield title, state, what, remedy
        except AwsError as error:
            problems += 1
            remedy = "allow this call, or look yourself" if "denied" in error.message.lower() or "Denied" in error.code else "try again"
            yield title, PROBLEM, f"could not be looked at: {error}", remedy
        except Refusal as refusal:
            problems += 1
            yield title, PROBLEM, str(refusal), ""
        except (KeyError, TypeError, IndexError, json.JSONDecodeError) as error:
            problems += 1
            yield title, PROBLEM, f"could not be looked at: AWS's answer lacks {error}", "install a newer AWS CLI"
        if problems and title in ("tools", "credentials"):
            yield title, NOTE, "the rest was not looked at", "mend this first"
            return


def run(choices):
    problems = 0
    for title, state, what, remedy in examine(choices):
        problems += state == PROBLEM
        say(f"{state:<8} {title}: {what}")
        if remedy:
            say(f"{'':<8}   -> {remedy}")
    if problems:
        return f"{problems} problem{'s' if problems > 1 else ''}; see above what to do"
    say("nothing stands in the way of a deploy")
    return 0
