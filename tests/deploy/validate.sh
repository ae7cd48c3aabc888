#!/usr/bin/env bash
# Linters over template.yaml, and the tests that hold it against the code. `make validate` sets the PATH.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1

echo "== sam validate --lint"
sam validate --lint --template template.yaml --region us-east-1
echo "== cfn-lint"
cfn-lint --regions us-east-1 eu-west-1 -- template.yaml
echo "== checkov"
report=$(mktemp)
trap 'rm -f "$report"' EXIT
checkov --file template.yaml --framework cloudformation --skip-download --output json >"$report" || true
python3 tests/deploy/checkov_report.py "$report"
echo "== pytest"
python3 -m pytest --quiet -p no:cacheprovider tests/deploy
