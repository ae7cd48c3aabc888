#!/usr/bin/env bash
# Deploys Headwater: primary, secondary, then the primary again so that it knows the secondary.
# The functions must be built (make build), the image pushed to both regions (make push).
#   PRIMARY=us-east-1 SECONDARY=eu-west-1   regions; SECONDARY= (empty) for one region
#   STACK=headwater DEPLOYMENT=headwater    names; the secondary's stack is $STACK-secondary, so that its roles, which
#                                           are the whole account's, can be told from the primary's
#   ARCHITECTURE=arm64 IMAGE_TAG=0.1.0      what runs
#   PARAMETERS="GatewayMinTasks=2 …"        more parameters of template.yaml, for both stacks
#   PRIMARY_PARAMETERS, SECONDARY_PARAMETERS  for one of them
set -euo pipefail
cd "$(dirname "$0")/.."
primary=${PRIMARY:-us-east-1}
secondary=${SECONDARY-eu-west-1}
stack=${STACK:-headwater}
common=("Deployment=${DEPLOYMENT:-headwater}" "Architecture=${ARCHITECTURE:-arm64}" "ImageTag=${IMAGE_TAG:?which image; make push prints it}"
  "Revision=$(date -u +%Y%m%dT%H%M%SZ)")
read -ra more <<<"${PARAMETERS:-}"
read -ra for_primary <<<"${PRIMARY_PARAMETERS:-}"
read -ra for_secondary <<<"${SECONDARY_PARAMETERS:-}"

command -v sam >/dev/null || { echo "the SAM CLI is missing: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html" >&2; exit 1; }
[ -e .aws-sam/build/template.yaml ] || { echo "nothing is built; run: make build" >&2; exit 1; }
[ "$primary" != "$secondary" ] || { echo "PRIMARY and SECONDARY are both $primary; a deployment has two different regions, or SECONDARY= for one" >&2; exit 1; }

deploy() {
  local region=$1 name=$2
  shift 2
  echo "== $region, $name: $*"
  sam deploy --stack-name "$name" --region "$region" --capabilities CAPABILITY_IAM --resolve-s3 --no-confirm-changeset \
    --no-fail-on-empty-changeset --no-progressbar --parameter-overrides "$@" "${common[@]}" ${more[@]+"${more[@]}"}
}

# Is the primary already joined? Then it stays so: un-joining for the time of an upgrade would drop the failover.
joined=false
if [ -n "$secondary" ]; then
  joined=$(sam list stack-outputs --stack-name "$stack" --region "$primary" --output json 2>/dev/null | grep -q '"joined with ' && echo true || echo false)
fi

if [ -z "$secondary" ]; then
  deploy "$primary" "$stack" Role=primary ${for_primary[@]+"${for_primary[@]}"}
else
  deploy "$primary" "$stack" Role=primary "PeerRegion=$secondary" "PeerJoined=$joined" ${for_primary[@]+"${for_primary[@]}"}
  deploy "$secondary" "$stack-secondary" Role=secondary "PeerRegion=$primary" ${for_secondary[@]+"${for_secondary[@]}"}
  if [ "$joined" = false ]; then
    deploy "$primary" "$stack" Role=primary "PeerRegion=$secondary" PeerJoined=true ${for_primary[@]+"${for_primary[@]}"}
  fi
fi
sam list stack-outputs --stack-name "$stack" --region "$primary" --output json |
  sed -n 's/.*"OutputKey": "\(.*\)",/\n\1/p; s/.*"OutputValue": "\(.*\)".*/  \1/p'
