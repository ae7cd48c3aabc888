"""Functions that start cold: their memory in the template against what was measured (`make bench PART=cold`).

A function's share of a CPU is its memory / 1769 MiB, so the CPU that a cold start takes, which was measured, and the answers
it waits for, which a test counts in simulated time, say how long it takes with the memory that the template gives it.
"""

import json
import re

import pytest
from stack import ROOT, Stack

FULL_CPU_MIB = 1769
#: Seconds: an answer of table or secrets within the region, and RunTask's; as the bench injects them.
NEAR, RUN_TASK = 0.02, 1.0
#: Seconds from process start to the answer.
WITHIN = {"publish": 2.0, "multivariant playlist": 1.0, "media playlist": 1.0}
RECORD = json.loads((ROOT / "docs" / "cold-starts.json").read_text())


def read(*parts):
    return ROOT.joinpath(*parts).read_text()


def waits(question):
    """Answers that are waited for one after the other: the function's secrets when it starts, then those of the request."""
    counted = "PUBLISH_WAITS" if question == "publish" else "PLAYLIST_WAITS"
    (requests,) = re.findall(rf"const {counted}: u32 = (\d+);", read("functions", "tests", "functions", "hooks_cold.rs"))
    return NEAR * (1 + int(requests)) + (RUN_TASK if question == "publish" else 0)


def memory(question):
    name = RECORD["questions"][question]["function"].title()
    return int(Stack.scenario("joined")[f"{name}Function"]["MemorySize"])


def test_it_was_the_released_program_that_was_measured():
    assert RECORD["measured"].endswith("release build"), "make bench PART=cold"


@pytest.mark.parametrize("question", WITHIN)
def test_a_function_that_starts_cold_answers_in_time(question):
    chosen, measured = memory(question), RECORD["questions"][question]["memory"]
    assert str(chosen) in measured, f"measure {question} with {chosen} MiB: make bench PART=cold"
    assert measured[str(chosen)]["seconds"] <= WITHIN[question]
    # Computed from its CPU alone it comes to no more, so nothing but the share and what is waited for is in it.
    computed = measured[str(chosen)]["cpu_seconds"] * FULL_CPU_MIB / chosen + waits(question)
    assert computed <= WITHIN[question]


def test_the_same_program_has_the_same_memory_wherever_it_is_deployed():
    """The playlist program is two functions, and both start cold."""
    stack = Stack.scenario("joined")
    assert stack["LowLatencyFunction"]["MemorySize"] == stack["PlaylistFunction"]["MemorySize"]


def test_who_waits_gives_up_later():
    """The gateway asks the other region too, and the edge the other origin: after what a cold start takes."""
    (hedge,) = re.findall(r"HEDGE_AFTER: Duration = Duration::from_secs\((\d+)\);", read("crates/aws/src/hooks/hedge/mod.rs"))
    assert WITHIN["publish"] <= int(hedge)
    for origin in Stack.scenario("joined")["Distribution"]["DistributionConfig"]["Origins"]:
        if "CustomOriginConfig" in origin:
            assert WITHIN["media playlist"] < origin["CustomOriginConfig"]["OriginReadTimeout"]
