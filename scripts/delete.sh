#!/usr/bin/env bash
# Deletes both stacks, the secondary first. Table, media and the key pepper stay; their names are printed.
#   PRIMARY, SECONDARY, STACK as in deploy.sh; CONFIRM=yes skips the question
set -euo pipefail
primary=${PRIMARY:-us-east-1}
secondary=${SECONDARY-eu-west-1}
stack=${STACK:-headwater}

if [ "${CONFIRM:-}" != yes ]; then
  read -rp "Delete the stacks '$stack-secondary' in $secondary and '$stack' in $primary? Every stream ends. Type yes: " answer
  [ "$answer" = yes ] || { echo "nothing was deleted"; exit 1; }
fi
for region in $secondary $primary; do
  name=$stack
  [ "$region" = "$primary" ] || name=$stack-secondary
  if outputs=$(sam list stack-outputs --stack-name "$name" --region "$region" --output json 2>/dev/null); then
    echo "== $region: kept, delete by hand if you no longer want it:"
    sed -n '/Retained/,/OutputValue/ s/.*"OutputValue": "\(.*\)".*/   \1/p' <<<"$outputs"
    sam delete --stack-name "$name" --region "$region" --no-prompts
  else
    echo "== $region: no stack '$name'"
  fi
done
