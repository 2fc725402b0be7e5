import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from core import codes
from core.errors import TransientError
from tests.factories.memory_app import Client, MemoryApp
from triggers.bootstrap import App
from triggers.http import health
from triggers.http.health_checks import CHECKS, Facts, HealthChecks


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_checks", HealthChecks(CHECKS))


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_the_process_is_alive_whatever_else_is_not(client: Client, terrane: MemoryApp) -> None:
    terrane.take_down("jobs", codes.DATABASE_UNAVAILABLE)

    assert client.get("/api/livez").json["status"] == "alive"


def test_the_service_is_ready_when_database_and_bus_answer(client: Client) -> None:
    answer = client.get("/api/readyz")

    assert answer.status == 200
    assert set(answer.json["components"]) == {"database", "bus"}


@pytest.mark.parametrize(("part", "component"), [("jobs", "database"), ("queue", "bus")])
def test_the_service_is_not_ready_when_one_of_them_does_not(
    client: Client, terrane: MemoryApp, part: str, component: str
) -> None:
    terrane.take_down(part, codes.DATABASE_UNAVAILABLE)

    answer = client.get("/api/readyz")

    assert (answer.status, answer.json["code"]) == (503, "service.not_ready")
    assert answer.json["details"] == {"components": [component]}
    assert "server.test does not answer" in answer.json["detail"]
    assert "Retry-After" in answer.headers


def test_readiness_is_remembered_for_a_while(client: Client, terrane: MemoryApp) -> None:
    client.get("/api/readyz")
    terrane.take_down("jobs", codes.DATABASE_UNAVAILABLE)

    assert client.get("/api/readyz").status == 200


def test_every_component_is_shown_with_version_and_latency(client: Client, terrane: MemoryApp) -> None:
    zones = terrane.app.settings.storage
    sources = (zones.bronze_rasters, zones.bronze_vectors)
    for container in (*sources, zones.silver_cogs, zones.silver_mosaicjson, zones.silver_vectors, zones.temp):
        terrane.blobs.ensure_container(container)

    answer = client.get("/api/health").json

    components = answer["components"]
    assert set(components) == {"database", "bus", "storage", "catalogue", "engine", "workspace"}
    assert answer["violations"] == 0
    assert {name: components[name]["status"] for name in components if name != "workspace"} == dict.fromkeys(
        ("database", "bus", "storage", "catalogue", "engine"), "healthy"
    )
    assert all(components[name]["version"] for name in components if name != "workspace")
    assert all(component["latency_ms"] >= 0 for component in components.values())


def test_a_component_that_is_ill_does_not_hide_the_others(client: Client, terrane: MemoryApp) -> None:
    terrane.take_down("queue", codes.BUS_UNAVAILABLE)

    answer = client.get("/api/health")

    assert (answer.status, answer.json["status"]) == (200, "unhealthy")
    assert answer.json["components"]["bus"]["status"] == "unhealthy"
    assert answer.json["components"]["database"]["status"] == "healthy"


def test_a_missing_container_and_a_pause_are_shown(client: Client, terrane: MemoryApp) -> None:
    terrane.blobs.ensure_container("silver-cogs")
    client.post("/api/dbadmin/maintenance/pause?reason=upgrade", headers={"X-Terrane-Actor": "ada"})

    components = client.get("/api/health").json["components"]

    assert components["storage"]["status"] == "degraded"
    assert "bronze-rasters" in components["storage"]["detail"]
    assert "silver-cogs" not in components["storage"]["detail"]
    assert components["engine"]["detail"] == "Paused by ada: upgrade."


def test_a_check_that_hangs_is_given_up_and_not_begun_twice(
    terrane: MemoryApp, gate: threading.Event
) -> None:
    begun = []

    def hang(parts: App) -> Facts:
        begun.append(parts)
        gate.wait()
        return Facts()

    checks = HealthChecks({"slow": hang, "quick": lambda parts: Facts()}, timedelta(seconds=0.05))

    first = checks.run(["slow", "quick"])
    second = checks.run(["slow"])

    assert first["quick"].facts.status == "healthy"
    assert first["slow"].facts.status == second["slow"].facts.status == "unhealthy"
    assert "No answer within 0.05 s" in first["slow"].facts.detail
    assert len(begun) == 1


def test_a_broken_check_says_no_more_than_its_kind(
    terrane: MemoryApp, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(parts: App) -> Facts:
        raise RuntimeError("password=secret")

    findings = HealthChecks({"broken": broken}).run(["broken"])

    assert findings["broken"].facts.status == "unhealthy"
    assert "secret" not in findings["broken"].facts.detail
    assert "secret" in caplog.text


def test_a_component_is_asked_again_when_it_has_recovered(terrane: MemoryApp) -> None:
    answers = iter([TransientError(codes.BUS_UNAVAILABLE, "bus.test does not answer."), None])

    def recovering(parts: App) -> Facts:
        error = next(answers)
        if error is not None:
            raise error
        return Facts()

    checks = HealthChecks({"bus": recovering})

    assert [checks.run(["bus"])["bus"].facts.status for _ in range(2)] == ["unhealthy", "healthy"]
