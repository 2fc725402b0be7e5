"""Free ports: picked once, remembered in the home, picked again when somebody else has taken one."""

import random
import socket
from collections.abc import Iterable

from local.home import Home

LOOPBACK = "127.0.0.1"
# Below every system's ephemeral range, so that no outgoing connection takes a port while we are down.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 200


def is_free(port: int) -> bool:
    """Say whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: connections of a former server that wait for their end do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Say whether anything accepts connections on this port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=2).close()
    except OSError:
        return False
    return True


def remembered_ports(home: Home, names: Iterable[str]) -> dict[str, int]:
    """Return a port for every name: the one it had before if that is still free, else a new one."""
    known = home.read("ports")
    ports: dict[str, int] = {}
    for name in names:
        port = known.get(name)
        if not isinstance(port, int) or port in ports.values() or not is_free(port):
            port = _pick(excluded=[*ports.values()])
        ports[name] = port
    home.write("ports", {**known, **ports})
    return ports


def _pick(excluded: list[int]) -> int:
    # Not for secrecy: two systems that start at once should not try the same ports in order.
    generator = random.SystemRandom()
    for _ in range(_TRIES):
        port = generator.randint(_LOWEST, _HIGHEST)
        if port not in excluded and is_free(port):
            return port
    raise OSError(f"no free port between {_LOWEST} and {_HIGHEST} on {LOOPBACK}")
