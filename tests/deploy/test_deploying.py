"""`make deploy`, `push`, `rotate`, `delete` against accounts in every state: what they do, and what they say instead."""

import json
import platform
import struct
import sys

import pytest
from stack import ROOT, SECONDARY

PRIMARY = "us-east-1"
NO_STACK = {"error": ["ValidationError", "Stack with id headwater does not exist"]}
ZONES = {"AvailabilityZones": [{"ZoneId": zone} for zone in ("apne1-az4", "apne1-az3", "apne1-az1", "apne1-az2")]}


def stack(status, outputs=None, parameters=()):
    return {
        "Stacks": [
            {
                "StackName": "headwater",
                "CreationTime": "2026-11-30T00:00:00Z",
                "StackStatus": status,
                "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in (outputs or {}).items()],
                "Parameters": [{"ParameterKey": key, "ParameterValue": "x"} for key in parameters],
            }
        ]
    }


def events(*failed, begun="CREATE_IN_PROGRESS"):
    base = {"StackId": "x", "StackName": "headwater", "Timestamp": "2026-11-30T00:00:00Z"}
    last = [
        {**base, "EventId": str(n), "LogicalResourceId": logical, "ResourceType": "AWS::X::Y", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": reason}
        for n, (logical, reason) in enumerate(reversed(failed))
    ]
    begin = {**base, "EventId": "b", "LogicalResourceId": "headwater", "ResourceType": "AWS::CloudFormation::Stack", "ResourceStatus": begun}
    old = {**base, "EventId": "o", "LogicalResourceId": "Old", "ResourceType": "AWS::X::Y", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "long ago"}
    return {"StackEvents": [*last, begin, old]}


def image(architecture="arm64", digest="sha256:1"):
    manifest = {"manifests": [{"digest": digest, "platform": {"architecture": architecture}}, {"digest": "sha256:2", "platform": {"architecture": "unknown"}}]}
    return {"images": [{"imageManifest": json.dumps(manifest), "imageId": {"imageDigest": "sha256:9"}}]}


@pytest.fixture
def project(programs, tmp_path):
    """A project folder whose functions are built."""
    return Project(programs, tmp_path)


class Project:
    def __init__(self, programs, root):
        self.programs, self.root = programs, root
        (root / "scripts").mkdir()
        (root / "scripts" / "deployment").symlink_to(ROOT / "scripts" / "deployment")
        programs.add("sam", "exit 0")
        self.built("arm64")

    def built(self, architecture):
        folder = self.root / ".aws-sam" / "build"
        (folder / "ApiFunction").mkdir(parents=True, exist_ok=True)
        (folder / "template.yaml").write_text("")
        machine = {"arm64": 0xB7, "x86_64": 0x3E}[architecture]
        (folder / "ApiFunction" / "bootstrap").write_bytes(b"\x7fELF" + bytes(14) + struct.pack("<H", machine) + bytes(40))

    def run(self, command, answers=None, **environment):
        if answers is not None:
            self.programs.answers(answers)
        code = (
            "import sys, runpy, pathlib; sys.path.insert(0, sys.argv[1]); import choices, machine, stacks, delete; "
            "machine.BUILD = pathlib.Path(sys.argv[3]); stacks.PAUSE = delete.PAUSE = 0.01; sys.argv = ['x', sys.argv[2]]; "
            "runpy.run_path(sys.path[0] + '/__main__.py', run_name='__main__')"
        )
        result = self.programs.run(
            sys.executable, "-c", code, ROOT / "scripts" / "deployment", command, self.root / ".aws-sam" / "build",
            **{"ARCHITECTURE": "arm64", "IMAGE_TAG": "1.2.3", **environment},
        )  # fmt: skip
        assert "Traceback" not in result.stdout, result.stdout
        return result

    def deploys(self):
        """Each `sam deploy`: region, parameters."""
        found = []
        for line in self.programs.log("sam"):
            words = line.split()
            assert words[0] == "deploy"
            parameters = dict(word.split("=", 1) for word in words[words.index("--parameter-overrides") + 1 :])
            found.append((words[words.index("--region") + 1], parameters))
        return found


FRESH = {
    "lambda get-account-settings": {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}},
    "cloudformation describe-stacks": NO_STACK,
    "cloudformation describe-stack-events": events(),
    "ec2 describe-availability-zones": ZONES,
    "ecr batch-get-image": image(),
}


def test_a_first_deploy_is_primary_secondary_joined(project):
    result = project.run("deploy", FRESH)
    assert result.returncode == 0, result.stdout
    first, second, third = project.deploys()
    assert [first[0], second[0], third[0]] == [PRIMARY, SECONDARY, PRIMARY]
    assert first[1]["Role"] == "primary" and first[1]["PeerJoined"] == "false" and first[1]["PeerRegion"] == SECONDARY
    # A creation that fails must be undone: the table is protected only once it stands.
    assert "TableProtection" not in first[1] and third[1]["TableProtection"] == "true"
    assert second[1]["Role"] == "secondary" and third[1]["PeerJoined"] == "true"
    assert {one["Architecture"] for _, one in (first, second, third)} == {"arm64"}
    # Zones are chosen once, when the subnets are made.
    assert (first[1]["ZoneA"], first[1]["ZoneB"]) == ("apne1-az1", "apne1-az2") and "ZoneA" not in third[1]


def test_viewers_cannot_starve_encoders_where_lambda_allows_it(project):
    kept = ("HooksReservedConcurrency", "PlaylistReservedConcurrency", "LowLatencyReservedConcurrency")
    assert project.run("deploy", FRESH).returncode == 0
    assert [[parameters.get(name) for name in kept] for _, parameters in project.deploys()] == [["100", "200", "400"], ["100", "200", "400"], [None] * 3]
    small = {"AccountLimit": {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}}
    result = project.run("deploy", {**FRESH, "lambda get-account-settings": small})
    assert result.returncode == 0 and "10 concurrent executions free in us-east-1: too few" in result.stdout
    result = project.run("deploy", FRESH, PARAMETERS="HooksReservedConcurrency=50")
    assert result.returncode == 0
    assert all(parameters["HooksReservedConcurrency"] == "50" for _, parameters in project.deploys()[-3:])
    assert not any("PlaylistReservedConcurrency" in parameters for _, parameters in project.deploys()[-3:])


def test_zones_without_fargate_are_left_out(project):
    result = project.run("deploy", FRESH, PRIMARY="ap-northeast-1", SECONDARY="")
    assert result.returncode == 0, result.stdout
    assert (project.deploys()[0][1]["ZoneA"], project.deploys()[0][1]["ZoneB"]) == ("apne1-az1", "apne1-az2")
    few = {**FRESH, "ec2 describe-availability-zones": {"AvailabilityZones": [{"ZoneId": "apne1-az3"}, {"ZoneId": "apne1-az1"}]}}
    result = project.run("deploy", few, PRIMARY="ap-northeast-1", SECONDARY="")
    assert result.returncode != 0 and "1 availability zones with Fargate; two are needed" in result.stdout


def test_an_upgrade_stays_joined_and_protected_and_keeps_its_zones(project):
    answers = {**FRESH, "cloudformation describe-stacks": stack("UPDATE_COMPLETE", {"PeerState": "joined with eu-west-1"})}
    result = project.run("deploy", answers, PARAMETERS="GatewayMinTasks=2 TableProtection=false")
    assert result.returncode == 0, result.stdout
    first, second = project.deploys()
    assert first[1]["PeerJoined"] == "true" and first[1]["GatewayMinTasks"] == second[1]["GatewayMinTasks"] == "2"
    assert first[1]["TableProtection"] == "false", "what the operator says goes"
    assert "ZoneA" not in first[1]


def test_one_region_is_protected_by_a_second_step(project):
    assert project.run("deploy", FRESH, SECONDARY="").returncode == 0
    first, second = project.deploys()
    assert "TableProtection" not in first[1] and second[1]["TableProtection"] == "true"
    assert "PeerRegion" not in first[1] and "PeerRegion" not in second[1]


@pytest.mark.parametrize(
    "environment, words",
    [
        ({"IMAGE_TAG": ""}, "which image? Say IMAGE_TAG="),
        ({"SECONDARY": "us-east-1"}, "PRIMARY and SECONDARY are both us-east-1"),
        ({"PRIMARY": "Ireland"}, "PRIMARY is 'Ireland', which is no name of an AWS region"),
        ({"ARCHITECTURE": "riscv"}, "ARCHITECTURE is 'riscv'"),
        ({"PARAMETERS": "GatewayMinTasks"}, "'GatewayMinTasks' is no parameter; write Name=value"),
        ({"STACK": "my stack"}, "STACK is 'my stack'"),
        ({"ARCHITECTURE": "x86_64"}, "ApiFunction is built for arm64, but x86_64 is to be deployed; run: make build ARCHITECTURE=x86_64"),
    ],
)
def test_wrong_wishes_are_refused_before_anything_is_asked(project, environment, words):
    result = project.run("deploy", FRESH, **environment)
    assert result.returncode != 0 and words in result.stdout, result.stdout
    assert project.programs.calls() == [] and project.programs.log("sam") == []


def test_an_image_that_is_not_there_or_not_for_this_processor_is_refused_before_the_deploy(project):
    result = project.run("deploy", {**FRESH, f"{SECONDARY} ecr batch-get-image": {"images": []}})
    assert result.returncode != 0 and f"there is no image headwater-transcoder:1.2.3 in {SECONDARY}" in result.stdout
    no_repository = {"error": ["RepositoryNotFoundException", "no"]}
    assert "make image push IMAGE_TAG=1.2.3" in project.run("deploy", {**FRESH, "ecr batch-get-image": no_repository}).stdout
    result = project.run("deploy", {**FRESH, "ecr batch-get-image": image("amd64")})
    assert result.returncode != 0
    assert "is for x86_64, but arm64 is to be deployed" in result.stdout and "deploy with ARCHITECTURE=x86_64" in result.stdout
    assert project.programs.log("sam") == []


# ---------------------------------------------------------------------------------------------- states of a stack


@pytest.mark.parametrize("state", ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_what_is_left_of_a_failed_creation_is_deleted_on_confirmation_only(project, state):
    answers = {
        **FRESH,
        f"{PRIMARY} cloudformation describe-stacks": [stack(state), stack(state), stack("DELETE_IN_PROGRESS"), NO_STACK],
        "cloudformation describe-stack-events": events(("Distribution", "Your account must be verified before")),
        "cloudformation delete-stack": {},
    }
    result = project.run("deploy", answers)
    assert result.returncode != 0 and f"is {state}" in result.stdout, result.stdout
    assert "Distribution: Your account must be verified before" in result.stdout
    assert "aws cloudformation delete-stack --stack-name headwater --region us-east-1" in result.stdout
    assert project.programs.called("cloudformation delete-stack") == [] and project.programs.log("sam") == []
    result = project.run("deploy", answers, CONFIRM="yes")
    assert result.returncode == 0, result.stdout
    assert len(project.programs.called("cloudformation delete-stack")) == 1 and len(project.deploys()) == 3


def test_an_update_that_could_not_be_undone_goes_on_without_what_is_stuck(project):
    answers = {
        **FRESH,
        f"{PRIMARY} cloudformation describe-stacks": [stack("UPDATE_ROLLBACK_FAILED")] * 2 + [stack("UPDATE_ROLLBACK_COMPLETE")],
        "cloudformation describe-stack-events": events(("Peer", "no stack in eu-west-1"), begun="UPDATE_IN_PROGRESS"),
        "cloudformation continue-update-rollback": {},
    }
    result = project.run("deploy", answers)
    assert result.returncode != 0 and "--resources-to-skip Peer" in result.stdout
    result = project.run("deploy", answers, CONFIRM="yes")
    assert result.returncode == 0, result.stdout
    assert project.programs.called("cloudformation continue-update-rollback")[0]["resources-to-skip"] == ["Peer"]


def test_an_operation_under_way_is_waited_for_by_the_operator(project):
    result = project.run("deploy", {**FRESH, "cloudformation describe-stacks": stack("UPDATE_IN_PROGRESS")}, CONFIRM="yes")
    assert result.returncode != 0 and "another operation is under way" in result.stdout
    assert project.programs.log("sam") == []


def test_a_refused_account_is_explained(project):
    project.programs.add("sam", "echo no; exit 1")
    answers = {
        **FRESH,
        "cloudformation describe-stacks": [NO_STACK, NO_STACK, stack("ROLLBACK_COMPLETE")],
        "cloudformation describe-stack-events": events(
            ("Distribution", "Your account must be verified before you can add new CloudFront resources."), ("Vpc", "Resource creation cancelled")
        ),
    }
    result = project.run("deploy", answers)
    assert result.returncode != 0 and "open a case with AWS Support" in result.stdout, result.stdout
    assert "cancelled" not in result.stdout and "long ago" not in result.stdout
    assert len(project.deploys()) == 1, "the secondary is not begun"


def test_a_refused_origin_shield_is_switched_off_with_a_sentence(project):
    project.programs.add("sam", 'case "$*" in *OriginShield=false*) exit 0 ;; *) exit 1 ;; esac')
    answers = {
        **FRESH,
        f"{PRIMARY} cloudformation describe-stacks": [stack("UPDATE_COMPLETE")] * 2 + [stack("UPDATE_ROLLBACK_COMPLETE")],
        "cloudformation describe-stack-events": events(("Distribution", "The parameter Origin Shield is invalid."), begun="UPDATE_IN_PROGRESS"),
    }
    result = project.run("deploy", answers, SECONDARY="")
    assert result.returncode == 0, result.stdout
    assert "CloudFront takes no Origin Shield there" in result.stdout
    assert [one.get("OriginShield") for _, one in project.deploys()] == [None, "false"]


def test_aws_out_of_reach_is_a_sentence(project):
    result = project.run("deploy", {**FRESH, "cloudformation describe-stacks": {"error": ["AccessDenied", "not authorized"]}})
    assert result.returncode != 0 and "AWS refuses what this needs: aws cloudformation describe-stacks" in result.stdout


# ---------------------------------------------------------------------------------------------- push


PUSH = {
    "sts get-caller-identity": {"Account": "123456789012"},
    "ecr batch-get-image": {"images": []},
    "ecr create-repository": {},
    "ecr get-authorization-token": {"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldC10b2tlbg=="}]},
}


@pytest.fixture
def docker(project):
    told = json.dumps([{"Architecture": "arm64", "Id": "sha256:aaa"}])
    project.programs.add("docker", f"case \"$1 $2\" in 'image inspect') echo '{told}' ;; login*) cat >>\"$HOME/stdin\" ;; esac")
    return project


def pushes(project):
    return [line for line in project.programs.log("docker") if line.startswith("push")]


def test_an_image_is_pushed_to_both_regions_once(docker):
    result = docker.run("push", {**PUSH, f"{PRIMARY} ecr batch-get-image": {"error": ["RepositoryNotFoundException", "no"]}})
    assert result.returncode == 0, result.stdout
    host = "123456789012.dkr.ecr.{}.amazonaws.com/headwater-transcoder:1.2.3"
    assert pushes(docker) == [f"push {host.format(PRIMARY)}", f"push {host.format(SECONDARY)}"]
    (made,) = docker.programs.called("ecr create-repository")
    assert made["image-tag-mutability"] == ["IMMUTABLE"]
    # The password goes by standard input, where nobody else reads it.
    assert not any("secret-token" in line for line in docker.programs.log("docker"))
    assert (docker.root / "stdin").read_text() == "secret-token" * 2


def test_a_push_that_came_half_way_goes_on_and_one_that_is_done_does_nothing(docker):
    there = image(digest="sha256:aaa")
    result = docker.run("push", {**PUSH, f"{PRIMARY} ecr batch-get-image": there})
    assert result.returncode == 0 and "is there already" in result.stdout
    assert len(pushes(docker)) == 1 and SECONDARY in pushes(docker)[0]
    result = docker.run("push", {**PUSH, "ecr batch-get-image": there})
    assert result.returncode == 0 and len(pushes(docker)) == 1


def test_another_image_under_a_taken_tag_or_for_another_processor_is_refused(docker):
    result = docker.run("push", {**PUSH, f"{SECONDARY} ecr batch-get-image": image(digest="sha256:other")})
    assert result.returncode != 0 and f"another image has the tag 1.2.3 in {SECONDARY}" in result.stdout
    result = docker.run("push", PUSH, ARCHITECTURE="x86_64")
    assert result.returncode != 0 and "is for arm64, but x86_64 is to be deployed" in result.stdout
    assert pushes(docker) == []


# ---------------------------------------------------------------------------------------------- rotate


def resource(identifier):
    return {
        "StackResourceDetail": {
            "LogicalResourceId": "X", "PhysicalResourceId": identifier, "ResourceType": "AWS::X::Y",
            "LastUpdatedTimestamp": "2026-11-30T00:00:00Z", "ResourceStatus": "UPDATE_COMPLETE",
        }
    }  # fmt: skip


def distribution(status):
    return {
        "Distribution": {
            "Id": "E1", "ARN": "arn:aws:cloudfront::1:distribution/E1", "Status": status, "LastModifiedTime": "2026-11-30T00:00:00Z",
            "InProgressInvalidationBatches": 0, "DomainName": "d1.cloudfront.net",
        }
    }  # fmt: skip


ROTATE = {
    "cloudformation describe-stacks": stack("UPDATE_COMPLETE", parameters=["Role", "SecretsRevision"]),
    "cloudformation describe-stack-resource": resource("E1"),
    "cloudformation describe-stack-events": events(),
    "cloudformation update-stack": {},
    "cloudfront get-distribution": [distribution("Deployed"), distribution("InProgress"), distribution("Deployed")],
    "secretsmanager get-random-password": {"RandomPassword": "a-new-value"},
    "secretsmanager put-secret-value": {},
}


def test_a_rotated_origin_secret_reaches_functions_before_the_edge_and_is_waited_for(project):
    result = project.run("rotate", ROTATE, SECRET="origin-secret")
    assert result.returncode == 0, result.stdout
    calls = [(region, call) for region, call, _ in project.programs.calls() if call in ("secretsmanager put-secret-value", "cloudformation update-stack")]
    assert calls == [(PRIMARY, "secretsmanager put-secret-value"), (SECONDARY, "cloudformation update-stack"), (PRIMARY, "cloudformation update-stack")]
    for flags in project.programs.called("cloudformation update-stack"):
        assert "ParameterKey=Role,UsePreviousValue=true" in flags["parameters"]
        assert any(one.startswith("ParameterKey=SecretsRevision,ParameterValue=2") for one in flags["parameters"])
        assert "use-previous-template" in flags
    assert "the edge is InProgress" in result.stdout
    # On no command line.
    assert "a-new-value" not in json.dumps(project.programs.calls()) and "a-new-value" not in result.stdout


def test_a_second_rotation_before_the_edge_is_deployed_is_refused(project):
    result = project.run("rotate", {**ROTATE, "cloudfront get-distribution": distribution("InProgress")}, SECRET="origin-secret")
    assert result.returncode != 0 and "A second rotation now would cut off" in result.stdout
    assert project.programs.called("secretsmanager put-secret-value") == []


def test_the_pepper_and_what_is_no_secret_are_not_rotated(project):
    for name in ("", "key-pepper", "x"):
        result = project.run("rotate", ROTATE, SECRET=name)
        assert result.returncode != 0 and "the key pepper is never rotated" in result.stdout


# ---------------------------------------------------------------------------------------------- delete


DELETE = {
    "cloudformation describe-stacks": [
        *[stack("UPDATE_COMPLETE", {"RetainedBucket": "b", "RetainedTable": "t", "RetainedSecret": "s"})] * 2,
        NO_STACK,
        *[stack("UPDATE_COMPLETE", {"RetainedBucket": "b", "RetainedTable": "t", "RetainedSecret": "s"})] * 2,
        NO_STACK,
    ],
    "cloudformation describe-stack-resource": resource("headwater-1"),
    "cloudformation describe-stack-events": events(),
    "events disable-rule": {},
    "application-autoscaling register-scalable-target": {},
    "ecs update-service": {},
    "ecs list-tasks": [{"taskArns": ["arn:1", "arn:2"]}, {"taskArns": ["arn:2"]}, {"taskArns": []}],
    "ecs stop-task": {},
    "ecr describe-repositories": {"repositories": [{}]},
}


def test_live_streams_are_stopped_before_the_stacks_go_and_what_is_left_is_told(project):
    result = project.run("delete", DELETE)
    assert result.returncode != 0 and "nothing was deleted" in result.stdout and project.programs.calls() == []
    result = project.run("delete", DELETE, CONFIRM="yes")
    assert result.returncode == 0, result.stdout
    order = [call for _, call, _ in project.programs.calls() if call.split()[0] in ("events", "ecs", "application-autoscaling")]
    # Nothing may start tasks again before they are stopped.
    assert order[:4] == ["events disable-rule", "events disable-rule", "application-autoscaling register-scalable-target", "ecs update-service"]
    assert project.programs.called("ecs update-service")[0]["desired-count"] == ["0"]
    assert sorted(flags["task"][0] for flags in project.programs.called("ecs stop-task"))[:2] == ["arn:1", "arn:2"]
    assert [line.split()[4] for line in project.programs.log("sam")] == [SECONDARY, PRIMARY], "the secondary first"
    for words in ("bucket b", "table t", "secret s", "ECR repository", "a GB and month", "aws s3 rb s3://b", "delete-table"):
        assert words in result.stdout, words


def test_a_deletion_that_was_stopped_goes_on(project):
    answers = {**DELETE, "cloudformation describe-stacks": NO_STACK}
    result = project.run("delete", answers, CONFIRM="yes")
    assert result.returncode == 0 and "no stack 'headwater'" in result.stdout
    gone = {"error": ["ClusterNotFoundException", "Cluster not found."]}
    answers = {**DELETE, "ecs update-service": gone, "ecs list-tasks": gone, "events disable-rule": {"error": ["ResourceNotFoundException", "no"]}}
    assert project.run("delete", answers, CONFIRM="yes").returncode == 0
    project.programs.add("sam", "exit 1")
    result = project.run("delete", DELETE, CONFIRM="yes")
    assert result.returncode != 0 and "run this again, it goes on where it was" in result.stdout


# ---------------------------------------------------------------------------------------------- back to one region


def peered(status="UPDATE_COMPLETE", region=SECONDARY, **values):
    found = stack(status, {"RetainedBucket": "b"})
    known = {"Role": "primary", "PeerRegion": region, "PeerJoined": "true", "TableProtection": "true", **values}
    found["Stacks"][0]["Parameters"] = [{"ParameterKey": key, "ParameterValue": value} for key, value in known.items()]
    return found


DROP = {
    **DELETE,
    f"{PRIMARY} cloudformation describe-stacks": peered(),
    f"{SECONDARY} cloudformation describe-stacks": [*[stack("UPDATE_COMPLETE", {"RetainedBucket": "b"})] * 2, NO_STACK],
    "cloudformation update-stack": {},
}


def changes(project):
    keys = ("PeerRegion", "PeerJoined", "TableProtection")
    told = []
    for flags in project.programs.called("cloudformation update-stack"):
        pairs = [one.split(",") for one in flags["parameters"]]
        told.append({
            pair[0].split("=")[1]: pair[1].split("=", 1)[1]
            for pair in pairs
            if pair[1].startswith("ParameterValue=") and pair[0].split("=")[1] in keys
        })  # fmt: skip
    return told


def test_a_peer_is_let_go_before_its_stack_and_its_replicas_go_after(project):
    result = project.run("drop-peer", DROP)
    assert result.returncode != 0 and "nothing was done" in result.stdout and changes(project) == []
    result = project.run("drop-peer", DROP, CONFIRM="yes")
    assert result.returncode == 0, result.stdout
    assert changes(project) == [
        {"PeerJoined": "false", "TableProtection": "false"},
        {"PeerRegion": "", "TableProtection": "true"},
    ]
    calls = [(region, call) for region, call, _ in project.programs.calls() if call in ("cloudformation update-stack", "ecs update-service")]
    assert calls == [(PRIMARY, "cloudformation update-stack"), (SECONDARY, "ecs update-service"), (PRIMARY, "cloudformation update-stack")]
    assert [line.split()[4] for line in project.programs.log("sam")] == [SECONDARY], "nothing else is deleted"
    assert "bucket b" in result.stdout and "table" not in result.stdout.split("left there")[1], "the table lives on"


def test_leaving_a_peer_can_be_run_again_and_only_of_that_peer(project):
    # The stack is gone already, and the last update has nothing to do.
    same = {"error": ["ValidationError", "No updates are to be performed."]}
    answers = {**DROP, f"{SECONDARY} cloudformation describe-stacks": NO_STACK, "cloudformation update-stack": same}
    assert project.run("drop-peer", answers, CONFIRM="yes").returncode == 0
    alone = {**DROP, f"{PRIMARY} cloudformation describe-stacks": peered(region="")}
    assert project.run("drop-peer", alone, CONFIRM="yes").returncode == 0 and changes(project)[2:] == []
    for answers, sentence, more in (
        ({**DROP, f"{PRIMARY} cloudformation describe-stacks": peered(region="ap-south-1")}, "say SECONDARY=ap-south-1", {}),
        ({**DROP, f"{PRIMARY} cloudformation describe-stacks": peered("UPDATE_IN_PROGRESS")}, "another operation is under way", {}),
        ({**DROP, f"{PRIMARY} cloudformation describe-stacks": NO_STACK}, "there is no stack", {}),
        (DROP, "which region is to be left", {"SECONDARY": ""}),
        ({**DROP, f"{PRIMARY} cloudformation describe-stacks": [peered(), peered(), *[peered("UPDATE_ROLLBACK_COMPLETE")] * 9]}, "not left yet", {}),
    ):
        project.programs.log("sam")
        result = project.run("drop-peer", answers, CONFIRM="yes", **more)
        assert result.returncode != 0 and sentence in result.stdout, result.stdout


# ---------------------------------------------------------------------------------------------- the image


def test_an_image_for_another_processor_is_refused_before_hours_of_emulation(project):
    own = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
    other = {"x86_64": "arm64", "arm64": "x86_64"}[own]
    result = project.run("check-engine", ARCHITECTURE=other)
    assert result.returncode != 0 and f"Deploy with ARCHITECTURE={own}" in result.stdout
    assert project.run("check-engine", ARCHITECTURE=other, EMULATE="yes").returncode == 0
    assert project.run("check-engine", ARCHITECTURE=own).returncode == 0
