#!/usr/bin/env bash
# Pushes the media container into an ECR repository of each region; makes the repositories if they are not there.
#   IMAGE=headwater-transcoder:0.1.0   the local image (make image)
#   IMAGE_REPOSITORY=headwater-transcoder IMAGE_TAG=0.1.0   what template.yaml is told
#   PRIMARY=us-east-1 SECONDARY=eu-west-1   regions; SECONDARY= for one
#   ENGINE=docker|podman|buildah   whose image it is
set -euo pipefail
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$(dirname "$0")/../Cargo.toml" | head -1)
repository=${IMAGE_REPOSITORY:-headwater-transcoder}
tag=${IMAGE_TAG:-$version}
image=${IMAGE:-headwater-transcoder:$tag}
engine=${ENGINE:-docker}
command -v aws >/dev/null || { echo "push: the AWS CLI is missing: https://aws.amazon.com/cli/" >&2; exit 1; }
command -v "$engine" >/dev/null || { echo "push: $engine is missing; set ENGINE to what has made the image" >&2; exit 1; }

account=$(aws sts get-caller-identity --query Account --output text)
tool=("$engine")
[ "$engine" != buildah ] || tool=(buildah --storage-driver vfs --root "${IMAGE_STORE:-$HOME/.cache/headwater/images}/root")
for region in ${PRIMARY:-us-east-1} ${SECONDARY-eu-west-1}; do
  aws ecr describe-repositories --region "$region" --repository-names "$repository" >/dev/null 2>&1 ||
    aws ecr create-repository --region "$region" --repository-name "$repository" --image-tag-mutability IMMUTABLE \
      --image-scanning-configuration scanOnPush=true >/dev/null
  host=$account.dkr.ecr.$region.amazonaws.com
  aws ecr get-login-password --region "$region" | "${tool[@]}" login --username AWS --password-stdin "$host"
  if [ "$engine" = buildah ]; then
    "${tool[@]}" push "$image" "docker://$host/$repository:$tag"
  else
    "${tool[@]}" tag "$image" "$host/$repository:$tag"
    "${tool[@]}" push "$host/$repository:$tag"
  fi
  echo "push: $host/$repository:$tag"
done
echo "push: now deploy with IMAGE_TAG=$tag"
