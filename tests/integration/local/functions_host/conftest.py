"""Hosts for these tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.local.functions_host.host_process import HostProcess, launch, write_app

StartHost = Callable[..., HostProcess]


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[StartHost]:
    """Write an app, serve it, and stop it after the test."""
    hosts: list[HostProcess] = []

    def start(
        source: str, *arguments: str, host: dict[str, object] | None = None, **settings: str
    ) -> HostProcess:
        app = write_app(tmp_path / "app", source, host)
        hosts.append(launch(app, *arguments, **settings))
        hosts[-1].wait_ready()
        return hosts[-1]

    yield start
    for one in hosts:
        one.stop()
