from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from local.servicebus.settings import Entities, QueueProperties, load_entities

DEPLOYED = Path(__file__).parents[4] / "deploy/servicebus.json"


def test_the_deployed_lanes_are_as_the_engine_expects_them() -> None:
    entities = load_entities(DEPLOYED)

    lane = QueueProperties(
        lock_duration=timedelta(minutes=1),
        default_message_time_to_live=timedelta(hours=1),
        dead_lettering_on_message_expiration=False,
        max_delivery_count=10,
        requires_duplicate_detection=False,
    )
    assert {queue.name: queue.properties for queue in entities.queues} == {
        "terrane-light": lane,
        "terrane-heavy": lane,
    }


@pytest.mark.parametrize(
    "properties",
    [
        {"requiresDuplicateDetection": True},
        {"requiresSession": True},
        {"lockDuration": "PT6M"},
        {"lockDuration": "1x"},
    ],
)
def test_what_is_not_emulated_is_refused(properties: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Entities.model_validate({"queues": [{"name": "q", "properties": properties}]})


@pytest.mark.parametrize("name", ["", "/q", "$cbs", "a b", "x" * 261])
def test_a_name_that_the_service_would_refuse_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Entities.model_validate({"queues": [{"name": name}]})
