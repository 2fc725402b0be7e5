import socket
from pathlib import Path

from local.home import Home
from local.ports import LOOPBACK, is_free, is_listening, remembered_ports


def make_home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def test_ports_are_free_and_differ(tmp_path: Path) -> None:
    ports = remembered_ports(make_home(tmp_path), ["a", "b", "c"])

    assert len(set(ports.values())) == 3
    assert all(is_free(port) for port in ports.values())


def test_the_same_ports_are_picked_again(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    first = remembered_ports(home, ["a", "b"])

    second = remembered_ports(home, ["a", "b"])

    assert second == first


def test_a_port_that_somebody_took_meanwhile_is_replaced(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    first = remembered_ports(home, ["a", "b"])

    with socket.create_server((LOOPBACK, first["a"])):
        second = remembered_ports(home, ["a", "b"])

    assert second["a"] != first["a"]
    assert second["b"] == first["b"]


def test_a_damaged_memory_is_no_obstacle(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    (home.run / "ports.json").write_text('{"a": "x", "b":')

    ports = remembered_ports(home, ["a"])

    assert is_free(ports["a"])


def test_a_listening_port_is_not_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]

        assert is_listening(port)
        assert not is_free(port)

    assert not is_listening(port)
