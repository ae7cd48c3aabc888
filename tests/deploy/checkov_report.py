"""Judges a checkov report: nothing failed, and every skip in template.yaml has a reason and is still needed."""

import json
import sys

from stack import source


def main(path):
    with open(path) as file:
        report = json.load(file)
    problems = [
        f"{check['resource']}: {check['check_id']} {check['check_name']}"
        for check in report["results"]["failed_checks"]
    ]
    used = {(check["resource"].rsplit(".", 1)[1], check["check_id"]) for check in report["results"]["skipped_checks"]}
    for name, resource in source()["Resources"].items():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            if not skip.get("comment"):
                problems.append(f"{name}: {skip['id']} is skipped without a reason")
            if (name, skip["id"]) not in used:
                problems.append(f"{name}: {skip['id']} is skipped but would not fail")
    summary = report["summary"]
    print(f"{summary['passed']} passed, {len(problems)} failed, {summary['skipped']} skipped with a reason")
    if problems or summary["parsing_errors"] or not summary["passed"]:
        sys.exit("\n".join(problems) or "checkov read nothing")


if __name__ == "__main__":
    main(sys.argv[1])
