"""docs/operations.md and the stack that it speaks of: the dashboard is explained as it is."""

import json
import re

from stack import ROOT

TEXT = ROOT.joinpath("docs/operations.md").read_text()
SECTION = TEXT[TEXT.index("## Read the dashboard") : TEXT.index("Logs: `")]


def widgets(stack):
    return [widget["properties"] for widget in json.loads(stack["Dashboard"]["DashboardBody"])["widgets"]]


def test_every_widget_is_explained_under_its_title(stack):
    explained = set(re.findall(r"^- \*\*(.+?)\*\*:", SECTION, re.M))
    shown = {widget["title"] for widget in widgets(stack)}
    assert shown <= explained, shown - explained


def test_nothing_is_explained_that_is_not_shown(joined):
    explained = re.findall(r"^- \*\*(.+?)\*\*:((?:.|\n  )*)", SECTION, re.M)
    shown = {widget["title"]: widget["metrics"] for widget in widgets(joined)}
    for title, text in explained:
        assert title in shown, title
        metrics = {part for metric in shown[title] for part in metric if isinstance(part, str)}
        for name in re.findall(r"`([A-Z0-9]\w+)`", text):
            assert name in metrics or name in joined.parameters, f"{title} does not show {name}"


def test_the_dashboard_has_the_name_that_is_told(stack):
    assert "`<stack>-<region>` in CloudWatch" in SECTION
    assert re.fullmatch(r"headwater(-secondary)?-[a-z]+-[a-z]+-\d", stack["Dashboard"]["DashboardName"])


def test_commands_name_resources_that_are_there(stack):
    """`continue-update-rollback` skips resources by their logical names."""
    for names in re.findall(r"--resources-to-skip ([\w ]+)`", TEXT):
        for name in names.split():
            assert name in stack.resources, name
