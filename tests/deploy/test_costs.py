"""The documents' tables of costs are what template and prices say."""

import json
import re

import costs
from stack import ROOT, Stack


def test_operations_tells_what_the_template_costs():
    text = costs.DOCS.read_text()
    assert costs.rendered(text) == text, "run: python3 tests/deploy/costs.py"


def test_readme_tells_the_same_sum():
    whole = sum(dollars for _, dollars in costs.idle(Stack.scenario("joined")))
    (told,) = re.findall(r"It costs about \$(\d+) a\s+month and\s+region", ROOT.joinpath("README.md").read_text())
    assert abs(int(told) - whole) <= 1, whole


def test_prices_are_dated_and_have_a_source():
    prices = json.loads(costs.PRICES.read_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", prices["as_of"])
    for name, one in prices["prices"].items():
        assert one["usd"] > 0 and one["per"] and one["source"].startswith("https://") and one["checked"], name


def test_more_gateways_and_names_cost_more():
    plain = sum(dollars for _, dollars in costs.idle(Stack.scenario("single")))
    more = sum(dollars for _, dollars in costs.idle(Stack({"GatewayMinTasks": "2"})))
    assert 10 < more - plain < 15
    assert any("health checks" in what for what, _ in costs.idle(Stack.scenario("secondary with names")))


def test_route_metrics_are_paid_for_only_where_they_are_looked_at(stack):
    """Detailed metrics of a route are custom metrics to CloudWatch; nothing here has a dimension Route."""
    looked_at = "Route" in stack["Dashboard"]["DashboardBody"] or any(
        dimension["Name"] == "Route" for alarm in stack.of_type("AWS::CloudWatch::Alarm").values() for dimension in alarm["Dimensions"]
    )
    settings = [stack["Stage"]["DefaultRouteSettings"], *stack["Stage"]["RouteSettings"].values()]
    assert {one.get("DetailedMetricsEnabled", False) for one in settings} == {looked_at}
