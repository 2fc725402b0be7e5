"""Root's privileges are dropped for the servers: PostgreSQL refuses to run with them."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.binaries import Missing

_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class Launch:
    """A command and the account that runs it; None keeps the account of the caller."""

    command: tuple[str, ...]
    uid: int | None = None
    gid: int | None = None

    def start(self, environment: Mapping[str, str], directory: Path, log: Path) -> subprocess.Popen[bytes]:
        """Start the command as the leader of a session of its own that appends to a log."""
        with log.open("ab") as output:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=dict(environment),
                user=self.uid,
                group=self.gid,
                extra_groups=None if self.uid is None else [],
                start_new_session=True,
            )


def unprivileged(command: Sequence[str], *, reads: Sequence[Path]) -> Launch:
    """Prepare a command to run without root's account.

    Args:
        command: Program and arguments.
        reads: What it must be able to reach. Where a directory above is closed to others (a
            checkout in /root, a directory by mktemp), the command keeps the one capability that
            lets it pass, and nothing else of root's.

    Raises:
        Missing: A directory is closed and `setpriv`, which would open it, is not there.
    """
    if os.geteuid() != 0:
        return Launch(tuple(command))
    account = _account()
    if all(_reaches(account, path) for path in reads):
        return Launch(tuple(command), account.pw_uid, account.pw_gid)
    setpriv = shutil.which("setpriv")
    if not setpriv:
        closed = next(path for path in reads if not _reaches(account, path))
        raise Missing(f"{account.pw_name} cannot reach {closed}: set TERRANE_HOME to an open directory")
    identity = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    passing = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    # Without this access(2), which Node asks first, would ignore the capability.
    passing += ["--securebits=+no_setuid_fixup"]
    return Launch((setpriv, *identity, *passing, "--", *command))


def hand_over(directory: Path) -> None:
    """Make a directory that belongs, with all in it, to the account of `unprivileged`."""
    directory.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return
    account = _account()
    if directory.stat().st_uid == account.pw_uid:
        return
    for path in (directory, *directory.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def give(path: Path) -> None:
    """Make one file belong to the account of `unprivileged`."""
    if os.geteuid() == 0:
        account = _account()
        os.chown(path, account.pw_uid, account.pw_gid)


def _account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing("no account to drop root's privileges to: create one named postgres")


def _reaches(account: pwd.struct_passwd, path: Path) -> bool:
    probe = subprocess.run(
        ["test", "-r", str(path)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return probe.returncode == 0
