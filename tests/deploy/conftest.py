"""Fixtures: the stacks that most tests look at."""

import pytest
from programs import Programs
from stack import SCENARIOS, Stack


@pytest.fixture(params=SCENARIOS)
def stack(request):
    return Stack.scenario(request.param)


@pytest.fixture(params=["joined", "everything"])
def joined(request):
    return Stack.scenario(request.param)


@pytest.fixture
def programs(tmp_path):
    return Programs(tmp_path)
