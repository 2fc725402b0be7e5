from datetime import timedelta

from tests.factories.memory_app import Client, MemoryApp

QUEUES = "/api/servicebus/queues"


def test_queues_are_counted_by_kind(client: Client, terrane: MemoryApp) -> None:
    terrane.queue.ring("light", 3)
    terrane.queue.ring_later("light", timedelta(hours=1))

    light, heavy = client.get(QUEUES).json["items"]

    assert (light["name"], light["waiting"], light["scheduled"], light["complete"]) == (
        "terrane-light",
        3,
        1,
        True,
    )
    assert (heavy["name"], heavy["waiting"], heavy["dead_letters"]) == ("terrane-heavy", 0, 0)
    assert client.get(f"{QUEUES}/terrane-light").json == light


def test_a_count_that_ends_early_says_so(client: Client, terrane: MemoryApp) -> None:
    terrane.queue.ring("heavy", 1_500)

    counted = client.get(f"{QUEUES}/terrane-heavy").json

    assert (counted["waiting"], counted["counted_up_to"], counted["complete"]) == (1_000, 1_000, False)


def test_looking_takes_nothing_and_goes_on_where_it_ended(client: Client, terrane: MemoryApp) -> None:
    terrane.queue.ring("light", 5)

    numbers: list[int] = []
    address = f"{QUEUES}/terrane-light/peek?limit=2"
    while address:
        answer = client.get(address).json
        numbers += [message["sequence_number"] for message in answer["items"]]
        address = answer["next"]

    assert numbers == [1, 2, 3, 4, 5]
    assert answer["items"][0]["body"] == {"lane": "light"}
    assert len(terrane.queue.peek("light", 10)) == 5


def test_dead_letters_are_shown_with_their_reason(client: Client, terrane: MemoryApp) -> None:
    terrane.queue.ring("light")
    for _ in range(10):
        bell = terrane.queue.take("light")
        assert bell is not None
        terrane.queue.give_back("light", bell)

    [letter] = client.get(f"{QUEUES}/terrane-light/deadletter").json["items"]

    assert letter["dead_letter_reason"] == "MaxDeliveryCountExceeded"


def test_an_unknown_queue_is_told_with_those_there_are(client: Client) -> None:
    for path in ("", "/peek", "/deadletter"):
        answer = client.get(f"{QUEUES}/nothing{path}")
        assert (answer.status, answer.json["code"]) == (404, "queue.unknown")
        assert "terrane-light" in answer.json["detail"]
