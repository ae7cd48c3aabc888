"""Deployments that are wrong: refused at once, with a sentence that says what to do."""

import re

from deployment import ARCHITECTURE
from emulator import wait_for
from stack import PRIMARY, SECONDARY

from proof_steps.report import ARTIFACTS, check

#: Wrong parameters, and what of the sentence that refuses them says.
REFUSED = [
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
    template = packaged.read_text()
    bucket = re.search(r"s3://([^/]+)/", template)[1]  # too large to be sent inline: CloudFormation reads it from S3
    proof.client("s3", SECONDARY).put_object(Bucket=bucket, Key="packaged.yaml", Body=template.encode())
    url = f"{proof.emulator.url}/{bucket}/packaged.yaml"
    for parameters, sentence in REFUSED:
        said = refusal(proof, url, {**always, **parameters})
        check(said and sentence in said, f"refused: {parameters}", said)
    refuse_the_wrong_order(proof, always)


def refusal(proof, url, parameters):
    """What CloudFormation says of a change set with these parameters."""
    cloudformation = proof.client("cloudformation", SECONDARY)
    try:
        cloudformation.create_change_set(
            StackName="wrong", ChangeSetName="wrong", ChangeSetType="CREATE", Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            TemplateURL=url,
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
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
    return said


def refuse_the_wrong_order(proof, always):
    """This one gets as far as the resolver: there is no primary yet."""
    cloudformation = proof.client("cloudformation", SECONDARY)
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
