"""`make doctor`: what it looks at, and what it says."""

import re

import pytest
from programs import Programs
from stack import ROOT

ACCOUNT = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ops", "UserId": "AIDA"}
REGIONS = {"Regions": [{"RegionName": name, "OptInStatus": "opt-in-not-required"} for name in ("us-east-1", "eu-west-1")]}
ZONES = {"AvailabilityZones": [{"ZoneId": f"use1-az{number}", "ZoneName": f"us-east-1{number}"} for number in (1, 2, 4)]}
NO_STACK = {"error": ["ValidationError", "Stack with id headwater does not exist"]}
NO_IMAGE = {"images": [], "failures": [{"failureCode": "ImageNotFound"}]}
GOOD = {
    "sts get-caller-identity": ACCOUNT,
    "ec2 describe-regions": REGIONS,
    "ec2 describe-availability-zones": ZONES,
    "service-quotas get-service-quota": {"Quota": {"Value": 1000.0}},
    "cloudfront list-cache-policies": {"CachePolicyList": {"Quantity": 0, "MaxItems": 100, "Items": []}},
    "cloudfront list-response-headers-policies": {"ResponseHeadersPolicyList": {"Quantity": 0, "MaxItems": 100}},
    "iam get-role": {
        "Role": {"RoleName": "x", "Path": "/", "RoleId": "x", "Arn": "arn:aws:iam::123456789012:role/x"}
    },
    "cloudformation describe-stacks": NO_STACK,
}


@pytest.fixture
def ready(programs):
    programs.add("sam", 'echo "SAM CLI, version 1.148.0"')
    programs.add("docker", "exit 0")
    return programs


def doctor(programs: Programs, answers, **environment):
    programs.answers({**GOOD, **answers})
    result = programs.deployment("doctor", **environment)
    assert "Traceback" not in result.stdout, result.stdout
    return result


def lines(result):
    return {line.split(": ", 1)[1] for line in result.stdout.splitlines() if line.startswith(("ok", "problem", "note"))}


def test_a_good_account_has_no_problem_and_nothing_is_changed(ready):
    result = doctor(ready, {})
    assert result.returncode == 0, result.stdout
    assert "nothing stands in the way of a deploy" in result.stdout
    assert "us-east-1: 3 zones with Fargate" in lines(result)
    # Read-only: every call begins so.
    for _, call, _ in ready.calls():
        assert call.split()[1].split("-")[0] in ("get", "list", "describe", "batch"), call
    # Both regions are looked at.
    assert {region for region, call, _ in ready.calls() if call.startswith("cloudformation")} == {"us-east-1", "eu-west-1"}


@pytest.mark.parametrize(
    "change, problem, remedy",
    [
        (
            {"sts get-caller-identity": {"error": ["ExpiredToken", "The security token included in the request is expired"]}},
            "no working credentials (ExpiredToken)",
            "aws sso login",
        ),
        (
            {"ec2 describe-regions": {"Regions": [*REGIONS["Regions"][:1], {"RegionName": "eu-west-1", "OptInStatus": "not-opted-in"}]}},
            "eu-west-1 is not enabled",
            "aws account enable-region --region-name eu-west-1",
        ),
        (
            {"eu-west-1 ec2 describe-availability-zones": {"AvailabilityZones": ZONES["AvailabilityZones"][:1]}},
            "eu-west-1: 1 zones with Fargate",
            "choose another region",
        ),
        (
            {"service-quotas get-service-quota": {"Quota": {"Value": 10.0}}},
            "us-east-1: 10 concurrent Lambda executions",
            "request-service-quota-increase --region us-east-1 --service-code lambda",
        ),
        (
            {
                "cloudfront list-cache-policies": {
                    "CachePolicyList": {
                        "Quantity": 19,
                        "MaxItems": 100,
                        "Items": [
                            {"Type": "custom", "CachePolicy": {"Id": "x", "CachePolicyConfig": {"Name": f"other{n}", "MinTTL": 0}}}
                            for n in range(19)
                        ],
                    }
                }
            },
            "19 of 20 cache policies are taken, a deployment needs 2",
            "delete some that nothing uses",
        ),
        (
            {"iam get-role": {"error": ["NoSuchEntity", "The role with name AWSServiceRoleForECS cannot be found."]}},
            "role AWSServiceRoleForECS is not there",
            "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com",
        ),
        (
            {
                "us-east-1 cloudformation describe-stacks": {
                    "Stacks": [{"StackName": "headwater", "CreationTime": "2026-11-30T00:00:00Z", "StackStatus": "ROLLBACK_COMPLETE"}]
                }
            },
            "us-east-1: stack 'headwater' is ROLLBACK_COMPLETE",
            "run make deploy",
        ),
        (
            {"ec2 describe-regions": {"error": ["UnauthorizedOperation", "You are not authorized: access denied"]}},
            "could not be looked at: aws ec2 describe-regions --region us-east-1: UnauthorizedOperation",
            "allow this call, or look yourself",
        ),
        ({"ec2 describe-regions": {}}, "AWS's answer lacks 'Regions'", "newer AWS CLI"),
    ],
)
def test_each_problem_is_said_with_what_to_do(ready, change, problem, remedy):
    result = doctor(ready, change)
    assert problem in result.stdout and remedy in result.stdout, result.stdout
    if "NoSuchEntity" not in str(change):
        assert result.returncode != 0


def test_a_default_quota_counts_where_it_was_never_changed(ready):
    result = doctor(
        ready,
        {
            "service-quotas get-service-quota": {"error": ["NoSuchResourceException", "no"]},
            "service-quotas get-aws-default-service-quota": {"Quota": {"Value": 1000.0}},
        },
    )
    assert result.returncode == 0, result.stdout


def test_the_image_is_looked_for_in_both_regions(ready):
    result = doctor(ready, {"ecr batch-get-image": NO_IMAGE}, IMAGE_TAG="1.2.3")
    for region in ("us-east-1", "eu-west-1"):
        assert f"there is no image headwater-transcoder:1.2.3 in {region}" in result.stdout
    assert "make image push IMAGE_TAG=1.2.3" in result.stdout and result.returncode != 0


def test_certificates_are_looked_for_in_their_regions(ready):
    wrong = "arn:aws:acm:eu-west-1:123456789012:certificate/1"
    result = doctor(ready, {}, PARAMETERS=f"PlaybackCertificateArn={wrong}")
    assert f"PlaybackCertificateArn is not in us-east-1: {wrong}" in result.stdout and result.returncode != 0
    right = wrong.replace("eu-west-1", "us-east-1")
    pending = {"acm describe-certificate": {"Certificate": {"Status": "PENDING_VALIDATION"}}}
    result = doctor(ready, pending, PARAMETERS=f"PlaybackCertificateArn={right}")
    assert "PlaybackCertificateArn in us-east-1 is PENDING_VALIDATION" in result.stdout


def test_tools_are_looked_for_first(programs):
    result = programs.deployment("doctor")
    assert "aws is missing" in result.stdout and "sam is missing" in result.stdout
    assert "install Docker or Podman" in result.stdout and "the rest was not looked at" in result.stdout
    programs.add("sam", 'echo "SAM CLI, version 1.50.0"')
    result = doctor(programs, {})
    assert "sam is version 1.50.0" in result.stdout and "at least 1.105.0 is needed" in result.stdout


def test_an_engine_that_is_installed_and_does_not_run_makes_no_image(ready):
    # Docker's client is there, its daemon is not: Docker Desktop that nobody has started.
    off = "[ \"$1\" = info ] && { echo 'Cannot connect to the Docker daemon. Is it running?' >&2; exit 1; }; exit 0"
    ready.add("docker", off)
    result = doctor(ready, {})
    assert "docker is installed but does not run: Cannot connect" in result.stdout and "start it (Docker Desktop" in result.stdout
    assert "docker can make the image" not in result.stdout
    for command in ("check-engine", "push"):
        result = ready.deployment(command, ENGINE="docker", IMAGE_TAG="1")
        assert result.returncode != 0 and "docker is installed but does not run" in result.stdout, command
        assert "there is no image" not in result.stdout


def test_every_place_names_the_same_oldest_sam_cli():
    said = re.search(r"OLDEST_SAM = \((\d+), (\d+), 0\)", (ROOT / "scripts/deployment/doctor.py").read_text())
    oldest = ".".join(said.groups())
    for name in ("README.md", "docs/operations.md"):
        assert re.findall(r"SAM CLI (\d+\.\d+) or later", (ROOT / name).read_text()) == [oldest], name
    # It is the first that builds where the sources are (`build_in_source` in samconfig.toml, tried with 1.103 and 1.105): those
    # before copy the whole folder, with all that was built in it, for each function.
    assert tuple(int(part) for part in said.groups()) >= (1, 105)
