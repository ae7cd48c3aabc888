"""What a deployment costs, from the evaluated template and docs/prices.json: the tables of docs/operations.md.

`python3 tests/deploy/costs.py` writes them anew; a test fails when they are not what this computes.
"""

import json
import re

from stack import PRIMARY, ROOT, SCENARIOS, Stack

HOURS = 730
#: A month's logs of idle programs, GB: a line of metrics a minute from gateway and sweep.
IDLE_LOG_GB = 0.05
#: The sweep: milliseconds for a minute without streams, at the function's memory.
SWEEP_MS = 100
#: A gateway without encoders asks the hooks so often in a month (IDLE_BEAT_EVERY in gateway/control/heartbeats.rs); milliseconds each.
IDLE_BEATS, IDLE_BEAT_MS = HOURS * 12, 5
#: Custom metrics that programs write without streams (metrics.rs): gateway and sweep.
IDLE_METRICS = 13
#: Bits a second that a 1080p encoder sends.
ENCODER_BITS = 6_000_000
DOCS = ROOT / "docs" / "operations.md"
PRICES = ROOT / "docs" / "prices.json"


def price(name):
    return json.loads(PRICES.read_text())["prices"][name]["usd"]


def idle(stack):
    """(what, dollars a month) of one region's stack while nobody streams."""
    task = stack["GatewayTask"]
    gateways = int(stack["GatewayScaling"]["MinCapacity"])
    cpu, memory = int(task["Cpu"]) / 1024, int(task["Memory"]) / 1024
    hour = cpu * price("fargate_arm_vcpu_hour") + memory * price("fargate_arm_gb_hour")
    balancers = stack.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer")
    zones = sum(len(balancer["Subnets"]) for balancer in balancers.values())
    secrets = len(Stack(SCENARIOS["primary"]).of_type("AWS::SecretsManager::Secret"))
    alarms, boards = stack.of_type("AWS::CloudWatch::Alarm"), stack.of_type("AWS::CloudWatch::Dashboard")
    sweep = stack["LifecycleFunction"]
    runs = HOURS * 60
    lines = [
        (f"{gateways} gateway: {cpu:g} vCPU, {memory:g} GB, arm64", gateways * hour * HOURS),
        ("load balancer", len(balancers) * price("nlb_hour") * HOURS),
        (f"{gateways + zones} public addresses (gateway, load balancer in two zones)", (gateways + zones) * price("public_ipv4_hour") * HOURS),
        (f"{secrets} secrets, or their replicas", secrets * price("secret_month")),
        (f"{len(alarms)} alarms (an account's first ten are free)", len(alarms) * price("alarm_month")),
        (f"{len(boards)} dashboard (an account's first three are free)", len(boards) * price("dashboard_month")),
        (f"{IDLE_METRICS} metrics of gateway and sweep (an account's first ten are free)", IDLE_METRICS * price("metric_month")),
        ("logs", IDLE_LOG_GB * price("log_gb")),
        (
            "sweep, each minute",
            runs * (price("lambda_request") + SWEEP_MS / 1000 * int(sweep["MemorySize"]) / 1024 * price("lambda_arm_gb_second")),
        ),
    ]
    hooks = int(stack["HooksFunction"]["MemorySize"]) / 1024
    heartbeat = price("http_api_request") + price("lambda_request") + IDLE_BEAT_MS / 1000 * hooks * price("lambda_arm_gb_second")
    lines.append(("gateway asks who its peer is, every five minutes", gateways * IDLE_BEATS * heartbeat))
    checks = len(stack.of_type("AWS::Route53::HealthCheck"))
    if checks:
        lines.append((f"{checks} health checks, fast (with HostedZoneId)", checks * 2 * price("health_check_month")))
    return lines


def benchmark(title):
    """The bench's lines of one kind of stream-hour: (what, dollars)."""
    text = (ROOT / "docs" / "BENCHMARKS.md").read_text()
    found = re.findall(rf"^\| stream-hour {re.escape(title)}: (.*?) *\| ([0-9.]+) \$", text, re.M)
    assert found, f"BENCHMARKS.md has no stream-hour {title}"
    return [(what, float(dollars)) for what, dollars in found]


def streaming(title):
    """(what, dollars an hour) of one stream, on top of what stands idle."""
    lines = benchmark(title)
    gigabytes = ENCODER_BITS * 3600 / 8 / 1e9
    requests = sum(int(number) for what, _ in lines for number in re.findall(r"^(\d+) (?:objects|playlists)", what))
    lines += [
        (f"load balancer: {gigabytes:.1f} GB from the encoder", gigabytes * price("nlb_nlcu_hour")),
        (f"Origin Shield: {requests} requests (OriginShield=false spares them)", requests * price("origin_shield_request")),
    ]
    return lines


def stored(title):
    """Dollars a month for an hour of a recording, in both buckets."""
    (sent,) = [float(n) for what, _ in benchmark(title) for n in re.findall(r"^([0-9.]+) GB to the other region", what)]
    return sent, 2 * sent * price("s3_gb_month")


def table(lines, unit, digits):
    rows = [f"| | $ {unit} |", "|---|---|", *(f"| {what} | {dollars:.{digits}f} |" for what, dollars in lines)]
    rows.append(f"| **sum** | **{sum(dollars for _, dollars in lines):.{digits}f}** |")
    return "\n".join(rows)


def blocks():
    """What stands between the markers of docs/operations.md."""
    copied = "1080p30, top rung copied, {} latency, both buckets"
    gigabytes, month = stored(copied.format("standard"))
    return {
        "idle": table(idle(Stack.scenario("joined")), "a month", 2),
        "standard": table(streaming(copied.format("standard")), "an hour", 4),
        "low": table(streaming(copied.format("low")), "an hour", 4),
        "stored": f"An hour of a 1080p recording has {gigabytes:.1f} GB in each bucket: ${month:.2f} a month for both, for as long as it is kept.",
    }


def rendered(text):
    for name, block in blocks().items():
        pattern = re.compile(rf"(<!-- costs:{name} -->\n).*?(\n<!-- /costs -->)", re.S)
        assert pattern.search(text), f"docs/operations.md has no block {name}"
        text = pattern.sub(lambda match, block=block: match[1] + block + match[2], text)
    return text


if __name__ == "__main__":
    DOCS.write_text(rendered(DOCS.read_text()))
