"""What the commands say to the person who typed them."""

import sys


def say(line: str) -> None:
    """Print one line of output at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """Print one line that is no output but a reason."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
