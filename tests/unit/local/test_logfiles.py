from pathlib import Path

from local import logfiles


def test_a_log_over_its_limit_is_moved_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    with path.open("ab") as writer:
        writer.write(b"x" * 100)
        writer.flush()

        logfiles.bound(path, limit=50)
        writer.write(b"later")

    assert path.read_bytes() == b"later"
    assert (tmp_path / "server.log.1").read_bytes() == b"x" * 100


def test_a_log_within_its_limit_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"x" * 50)

    logfiles.bound(path, limit=50)
    logfiles.bound(tmp_path / "none.log", limit=50)

    assert path.read_bytes() == b"x" * 50
    assert list(tmp_path.iterdir()) == [path]


def test_the_tail_has_the_last_lines_whatever_their_encoding(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"one\ntwo\n\xff three\n")

    assert logfiles.tail(path, lines=2) == ["two", "\N{REPLACEMENT CHARACTER} three"]
    assert logfiles.tail(tmp_path / "none.log") == []
