"""Two availability zones for the subnets, by their ids: letters are shuffled for each account, and not every zone has Fargate."""

import json

from choices import ROOT
from cli import Refusal

TABLE = ROOT / "docs" / "fargate-zones.json"


def usable(aws):
    """Ids of the region's zones that have Fargate."""
    answer = aws(
        "ec2", "describe-availability-zones",
        "--filters", "Name=zone-type,Values=availability-zone", "Name=state,Values=available",
    )  # fmt: skip
    there = sorted(zone["ZoneId"] for zone in answer["AvailabilityZones"] if zone.get("ZoneId"))
    only = json.loads(TABLE.read_text())["only"].get(aws.region)
    return [zone for zone in there if only is None or zone in only]


def choose(aws):
    found = usable(aws)
    if len(found) < 2:
        raise Refusal(
            f"{aws.region} shows this account {len(found)} availability zones with Fargate; two are needed. Take another region"
        )
    return found[:2]
