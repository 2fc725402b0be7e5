"""The SQL functions and the repositories in memory are told the same histories and come to the same."""

from collections.abc import Iterator
from itertools import islice

import pytest

from tests.fixtures.postgres import PostgresServer
from tests.simulation.postgres import VirtualPostgres, remembered, virtual_postgres
from tests.simulation.setup import setup_of
from tests.simulation.world import World

# Spread over what seeds decide: with and without a janitor, one slot and several.
SEEDS = (*range(100, 128), 147, 212)


@pytest.fixture(scope="module")
def postgres(postgres_server: PostgresServer) -> Iterator[VirtualPostgres]:
    with virtual_postgres(postgres_server) as found:
        yield found


@pytest.mark.parametrize("seed", SEEDS)
def test_postgresql_answers_as_the_store_in_memory_did(postgres: VirtualPostgres, seed: int) -> None:
    world = World(setup_of(seed), record=True)
    world.run()
    assert world.history
    postgres.empty()

    assert list(islice(postgres.tell(world.history), 3)) == []
    for table, rows in remembered(world).items():
        assert list(islice(postgres.differences(table, rows), 3)) == [], table


def test_tasks_of_one_turn_are_claimed_in_one_order_however_the_planner_finds_them(
    postgres: VirtualPostgres,
) -> None:
    world = World(setup_of(121), record=True)
    world.run()
    assert world.history
    postgres.empty()

    with postgres.without_indexes("app.claim_v1"):
        assert list(islice(postgres.tell(world.history), 3)) == []
