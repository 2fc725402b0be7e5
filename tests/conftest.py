"""Fixtures for every test, each in a plugin of its own under `tests/fixtures`."""

pytest_plugins = [
    "tests.fixtures.azurite",
    "tests.fixtures.blobs",
    "tests.fixtures.postgres",
    "tests.fixtures.engine",
    "tests.fixtures.relay",
    "tests.fixtures.servicebus",
]
