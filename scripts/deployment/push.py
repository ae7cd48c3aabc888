"""Pushes the media container into an ECR repository of each region; makes the repositories if they are not there.

Tags are immutable there, so that what runs is what was tested. The same image twice, or again after a push that came half
way, is no error; another image under a tag that is taken is refused before anything is sent.
"""

import base64
import json
import os
import shutil
import subprocess

import machine
from cli import Aws, AwsError, Refusal, say

ENGINES = ("docker", "podman", "buildah")


class Engine:
    """Docker, Podman or buildah: whose image it is."""

    def __init__(self):
        named = os.environ.get("ENGINE")
        self.name = named or next((one for one in ENGINES if shutil.which(one)), None)
        if self.name not in ENGINES:
            raise Refusal(f"ENGINE is '{self.name}'; it is {', '.join(ENGINES)}" if named else "nothing here makes container images; install Docker or Podman")
        if shutil.which(self.name) is None:
            raise Refusal(f"{self.name} is missing; set ENGINE to what has made the image")
        if trouble := machine.trouble_of(self.name):
            raise Refusal(f"{trouble}; {machine.remedy_of(self.name)}")
        self.words = [self.name]
        if self.name == "buildah":
            store = os.environ.get("IMAGE_STORE") or os.path.expanduser("~/.cache/headwater/images")
            self.words += ["--storage-driver", "vfs", "--root", f"{store}/root"]

    def run(self, *arguments, text=None):
        return subprocess.run([*self.words, *arguments], input=text, capture_output=True, text=True, check=False)

    def image(self, name):
        """Architecture and ids of a local image: of its configuration, or of its manifest, whichever this engine counts by."""
        inspect = ["inspect", "--type", "image", name] if self.name == "buildah" else ["image", "inspect", name]
        done = self.run(*inspect)
        if done.returncode != 0:
            raise Refusal(f"there is no image {name} in {self.name}; run: make image IMAGE_TAG={name.rsplit(':', 1)[-1]}")
        told = json.loads(done.stdout)
        told = told[0] if isinstance(told, list) else told
        if self.name == "buildah":
            return told["OCIv1"]["architecture"], {told["FromImageID"], told.get("FromImageDigest", "")}
        return told["Architecture"], {told["Id"], told.get("Digest", "")}

    def push(self, image, host, repository, tag, password):
        there = f"{host}/{repository}:{tag}"
        steps = [(["login", "--username", "AWS", "--password-stdin", host], password)]
        if self.name == "buildah":
            steps.append((["push", image, f"docker://{there}"], None))
        else:
            steps += [(["tag", image, there], None), (["push", there], None)]
        for arguments, text in steps:
            done = self.run(*arguments, text=text)
            if done.returncode != 0:
                raise Refusal(f"{self.name} {arguments[0]} has failed: {done.stderr.strip()[-500:]}; run this again, it goes on where it was")


def digest(text):
    return text.rsplit(":", 1)[-1]


def run(choices):
    engine = Engine()
    tag = choices.image_tag
    if not tag:
        raise Refusal("which image? Say IMAGE_TAG=…")
    image = os.environ.get("IMAGE") or f"headwater-transcoder:{tag}"
    word, ids = engine.image(image)
    found = machine.IMAGE_WORDS.get(word)
    if found != choices.architecture:
        raise Refusal(
            f"{image} is for {found or word}, but {choices.architecture} is to be deployed; run: make image IMAGE_TAG={tag} "
            f"ARCHITECTURE={choices.architecture}, or say ARCHITECTURE={found or word} here and for the deploy"
        )
    account = Aws(choices.primary)("sts", "get-caller-identity")["Account"]
    targets = [Aws(region) for region, _ in choices.stacks()]
    # All are looked at before any is sent to.
    todo = [aws for aws in targets if not already(aws, choices, {digest(one) for one in ids if one})]
    for aws in targets:
        host = f"{account}.dkr.ecr.{aws.region}.amazonaws.com"
        where = f"{host}/{choices.image_repository}:{tag}"
        if aws not in todo:
            say(f"push: {where} is there already")
            continue
        token = aws("ecr", "get-authorization-token")["authorizationData"][0]["authorizationToken"]
        engine.push(image, host, choices.image_repository, tag, password_of(token))
        say(f"push: {where}")
    say(f"push: now deploy with IMAGE_TAG={tag}")


def password_of(token):
    return base64.b64decode(token).decode().split(":", 1)[1]


def already(aws, choices, ours):
    """Whether the tag holds this very image; a repository that is not there is made."""
    repository, tag = choices.image_repository, choices.image_tag
    try:
        answer = aws(
            "ecr", "batch-get-image", "--repository-name", repository, "--image-ids", f"imageTag={tag}",
            "--accepted-media-types", *machine.MANIFESTS,
        )  # fmt: skip
    except AwsError as error:
        if error.code != "RepositoryNotFoundException":
            raise
        aws(
            "ecr", "create-repository", "--repository-name", repository, "--image-tag-mutability", "IMMUTABLE",
            "--image-scanning-configuration", "scanOnPush=true",
        )  # fmt: skip
        return False
    if not answer.get("images"):
        return False
    there = answer["images"][0]
    manifest = json.loads(there["imageManifest"])
    known = {digest(there["imageId"].get("imageDigest", "")), digest(manifest.get("config", {}).get("digest", ""))}
    known |= {digest(one.get("digest", "")) for one in manifest.get("manifests", [])}
    if ours & known:
        return True
    raise Refusal(
        f"another image has the tag {tag} in {aws.region}, and tags there cannot be given anew; push this one as IMAGE_TAG=<another>"
    )
