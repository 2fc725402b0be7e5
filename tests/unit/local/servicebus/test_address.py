import pytest

from local.servicebus.address import Address, Kind, parse_address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("terrane-light", Address(Kind.MESSAGES, "terrane-light")),
        ("amqps://127.0.0.1:5672/Terrane-Light", Address(Kind.MESSAGES, "terrane-light")),
        ("amqp://host/terrane-light/", Address(Kind.MESSAGES, "terrane-light")),
        ("terrane-light/$management", Address(Kind.MANAGEMENT, "terrane-light")),
        ("sb://host/q/$DeadLetterQueue", Address(Kind.MESSAGES, "q/$deadletterqueue")),
        ("q/$DeadLetterQueue/$management", Address(Kind.MANAGEMENT, "q/$deadletterqueue")),
        ("$cbs", Address(Kind.CBS, "")),
        (None, Address(Kind.MESSAGES, "")),
    ],
)
def test_an_address_names_a_node_and_an_entity(address: str | None, expected: Address) -> None:
    assert parse_address(address) == expected
