"""One sweep over the tables of all drivers: every row tells where it is from and what its replies mean."""

from __future__ import annotations

import pytest

from instruments.capability import Operation
from instruments.drivers import driver_named, drivers
from instruments.network_simulator import NetworkSimulator

ROWS = [(name, row) for name, driver in drivers().items() for row in driver.table.capabilities]
STATES = ("state", "service", "result", "import")


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name}-{row.operation}" for name, row in ROWS])
def test_a_row_says_what_it_does_where_from_and_how(name, row):
    assert row.meaning and row.source and row.confidence
    assert row.command or row.query
    assert "{value}" in (row.command or "") or not row.allowed
    if row.query and any(word in row.operation for word in STATES):
        assert row.replies, "a state without a map would be guessed"


def test_every_operation_has_a_meaning_and_some_driver():
    assert all(operation.meaning for operation in Operation)
    missing = set(Operation) - {each for driver in drivers().values() for each in driver.table.operations}
    assert missing == set()


@pytest.mark.parametrize("name", drivers())
def test_a_driver_offers_the_whole_protocol(name):
    made = driver_named(name).make(None, None)
    assert not [each for each in dir(NetworkSimulator) if each[0] != "_" and not hasattr(made, each)]
