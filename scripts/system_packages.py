"""What apt or Homebrew has to install: PostgreSQL with PostGIS, a C compiler, GDAL's programs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local.binaries import OLDEST_POSTGRES
from scripts.running import InstallFailed, run, say

POSTGRES_HINT = "apt-get install postgresql-15-postgis-3, or brew install postgis"
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/terrane.conf")
_APT_OPTIONS = ("-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")


def install_postgres() -> None:
    """Install a PostgreSQL server with PostGIS, without a cluster or a running service."""
    if shutil.which("apt-get"):
        package = _newest_postgis()
        with _no_main_cluster():
            _apt([package], "PostgreSQL with PostGIS")
    else:
        _brew(["postgis"], "PostgreSQL with PostGIS", POSTGRES_HINT)


def install_venv_module() -> None:
    """Install what `python -m venv` needs, which Debian packages apart."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    hint = f"install the venv module of Python {version}"
    if not shutil.which("apt-get"):
        raise InstallFailed(hint)
    _apt([f"python{version}-venv"], "Python's venv module")


def install_compiler() -> None:
    """Install a C compiler and Python's headers."""
    if shutil.which("apt-get"):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        _apt(["gcc", "libc6-dev", f"python{version}-dev"], "a C compiler, for one Python package")
        return
    hint = "xcode-select --install" if sys.platform == "darwin" else "install gcc and Python's headers"
    raise InstallFailed(f"A C compiler is needed for one Python package; type: {hint}")


def install_gdal() -> None:
    """Install GDAL's programs, the peers of the raster benchmarks."""
    if shutil.which("gdalwarp"):
        return
    if shutil.which("apt-get"):
        _apt(["gdal-bin"], "GDAL's programs, to compare with")
    else:
        _brew(["gdal"], "GDAL's programs, to compare with", "brew install gdal")


def _newest_postgis() -> str:
    found = _search_postgis()
    if not found:
        say("Reading the lists of apt's packages")
        _as_root(["apt-get", *_APT_OPTIONS, "update", "-qq"])
        found = _search_postgis()
    if not found:
        raise InstallFailed(f"apt knows no PostGIS for PostgreSQL {OLDEST_POSTGRES} or later")
    return f"postgresql-{max(found)}-postgis-3"


def _search_postgis() -> list[int]:
    listing = run(["apt-cache", "search", "--names-only", "^postgresql-[0-9]+-postgis-3$"])
    majors = [int(match) for match in re.findall(r"^postgresql-(\d+)-postgis-3 ", listing, re.MULTILINE)]
    return [major for major in majors if major >= OLDEST_POSTGRES]


@contextmanager
def _no_main_cluster() -> Iterator[None]:
    """Keep Debian's packages from making and starting a cluster of their own."""
    setting = "create_main_cluster = false"
    script = f"mkdir -p {_NO_CLUSTER.parent} && echo '{setting}' > {_NO_CLUSTER}"
    _as_root(["sh", "-c", script])
    try:
        yield
    finally:
        _as_root(["sh", "-c", f"rm -f {_NO_CLUSTER}; rmdir {_NO_CLUSTER.parent} 2>/dev/null || true"])


def _apt(packages: Sequence[str], what: str) -> None:
    say(f"Installing {what} with apt: {' '.join(packages)}")
    command = ["apt-get", *_APT_OPTIONS, "install", "-y", "-qq", "--no-install-recommends", *packages]
    try:
        _as_root(command)
    except InstallFailed:
        # The lists may be missing, or older than what the mirror still has.
        _as_root(["apt-get", *_APT_OPTIONS, "update", "-qq"])
        _as_root(command)


def _brew(packages: Sequence[str], what: str, hint: str) -> None:
    if not shutil.which("brew"):
        raise InstallFailed(f"{what} is not installed, and there is neither apt nor Homebrew; type: {hint}")
    say(f"Installing {what} with Homebrew: {' '.join(packages)}")
    run(["brew", "install", "--quiet", *packages], {**os.environ, "HOMEBREW_NO_AUTO_UPDATE": "1"})


def _as_root(command: Sequence[str]) -> None:
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    if os.geteuid() == 0:
        run([*environment, *command])
        return
    by_hand = f"sudo {shlex.join(command)}"
    if not shutil.which("sudo"):
        raise InstallFailed(f"This needs root; type: {by_hand}")
    if not _may_use_sudo():
        raise InstallFailed(f"sudo asks for a password and there is no terminal; type: {by_hand}")
    run(["sudo", *environment, *command])


def _may_use_sudo() -> bool:
    without_asking = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    if without_asking or not sys.stdin.isatty():
        return without_asking
    return subprocess.run(["sudo", "-v"], check=False).returncode == 0
