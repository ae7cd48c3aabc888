"""For which processor things were built: the functions of `sam build`, and the image in a registry."""

import json
import os
import subprocess
import urllib.error
import urllib.request

from choices import ROOT, machine
from cli import AwsError, Refusal, say

#: `e_machine` of an ELF header (System V ABI).
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}
#: In an image's words.
IMAGE_WORDS = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
BUILD = ROOT / ".aws-sam" / "build"
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)


def of_elf(path):
    """The architecture of an executable; `None` if it is none that Lambda runs."""
    with open(path, "rb") as file:
        head = file.read(20)
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    return MACHINES.get(int.from_bytes(head[18:20], "little"))


def check_build(choices):
    """Refuses functions that are not there, or are for another processor than the stack is to have."""
    built = sorted(BUILD.glob("*/bootstrap"))
    if not (BUILD / "template.yaml").exists() or not built:
        raise Refusal("nothing is built; run: make build")
    for path in built:
        found = of_elf(path)
        if found != choices.architecture:
            raise Refusal(
                f"{path.parent.name} is built for {found or 'no processor that Lambda has'}, but {choices.architecture} is to be "
                f"deployed; run: make build ARCHITECTURE={choices.architecture}, or deploy with ARCHITECTURE={found or 'arm64'}"
            )


#: Seconds that a container engine may take to say how it is.
ENGINE_PATIENCE = 30


def trouble_of(engine):
    """Why a container engine that is installed is of no use, if so: docker is a client, and what it talks to may be off."""
    if engine == "buildah":
        return None
    try:
        done = subprocess.run([engine, "info"], capture_output=True, text=True, check=False, timeout=ENGINE_PATIENCE)
    except subprocess.TimeoutExpired:
        return f"{engine} does not answer"
    except OSError as error:
        return f"{engine} cannot be run: {error.strerror}"
    if done.returncode == 0:
        return None
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return f"{engine} is installed but does not run" + (f": {said[-1].strip()[-200:]}" if said else "")


def remedy_of(engine):
    return f"start it ({'Docker Desktop, or the docker service' if engine == 'docker' else f'{engine} machine start'}), or set ENGINE to another: docker, podman or buildah"


def check_engine(choices):
    """Refuses to make an image with an engine that does not run, or for a processor that this machine would have to emulate."""
    engine = os.environ.get("ENGINE")
    if engine and (trouble := trouble_of(engine)):
        raise Refusal(f"{trouble}; {remedy_of(engine)}")
    if choices.architecture != machine() and os.environ.get("EMULATE") != "yes":
        raise Refusal(
            f"this machine is {machine()}: an image for {choices.architecture} would be compiled under emulation, for hours. Deploy with "
            f"ARCHITECTURE={machine()}, or make the image on {'an' if choices.architecture == 'arm64' else 'a'} {choices.architecture} machine; "
            "EMULATE=yes does it all the same"
        )


def of_image(aws, repository, tag):
    """The architectures of an image in ECR; `None` if there is no such image, an empty set if they cannot be told."""
    try:
        answer = aws(
            "ecr", "batch-get-image", "--repository-name", repository, "--image-ids", f"imageTag={tag}",
            "--accepted-media-types", *MANIFESTS,
        )  # fmt: skip
    except AwsError as error:
        if error.code == "RepositoryNotFoundException":
            return None
        raise
    if not answer.get("images"):
        return None
    try:
        manifest = json.loads(answer["images"][0]["imageManifest"])
        if "manifests" in manifest:
            words = [one.get("platform", {}).get("architecture") for one in manifest["manifests"]]
        else:
            words = [config_of(aws, repository, manifest["config"]["digest"]).get("architecture")]
    except (KeyError, ValueError, AwsError, urllib.error.URLError, OSError):
        return set()
    # An index also lists attestations, of platform "unknown".
    return {IMAGE_WORDS[word] for word in words if word in IMAGE_WORDS}


def config_of(aws, repository, digest):
    link = aws("ecr", "get-download-url-for-layer", "--repository-name", repository, "--layer-digest", digest)
    with urllib.request.urlopen(link["downloadUrl"], timeout=30) as answer:
        return json.loads(answer.read(1 << 20))


def check_image(aws, choices):
    """Refuses an image that is not there, or is for another processor."""
    name = f"{choices.image_repository}:{choices.image_tag}"
    found = of_image(aws, choices.image_repository, choices.image_tag)
    if found is None:
        raise Refusal(f"there is no image {name} in {aws.region}; run: make image push IMAGE_TAG={choices.image_tag}")
    if not found:
        say(f"the architecture of {name} in {aws.region} cannot be told; it must be {choices.architecture}")
    elif choices.architecture not in found:
        raise Refusal(
            f"the image {name} in {aws.region} is for {' and '.join(sorted(found))}, but {choices.architecture} is to be deployed; "
            f"push one for it under another tag (make image push ARCHITECTURE={choices.architecture} IMAGE_TAG=…), or deploy with "
            f"ARCHITECTURE={sorted(found)[0]}"
        )
