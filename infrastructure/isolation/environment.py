"""The environment of a fork server, built from nothing rather than by removing secrets."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# What a process needs to start and to check certificates; nothing here can carry a credential.
_INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
)

NO_ADDRESS = "none"

_FIXED = {
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_ENABLE_RAWRASTERBAND": "NO",
    "PROJ_NETWORK": "OFF",
    # Either refuses every address; a file system that looked at the name only, or at extensions
    # only, would still be shut. An allowed name wins over the list of extensions, which is empty.
    "CPL_VSIL_CURL_ALLOWED_FILENAME": NO_ADDRESS,
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ",",
    # GDAL reads settings and credentials from there; the workspace may hold a stranger's files.
    "HOME": "/nonexistent",
    # No cloud's metadata service is asked for an identity.
    "CPL_AWS_AUTODETECT_EC2": "NO",
    "CPL_AZURE_VM_API_ROOT_URL": "disabled",
    "CPL_MACHINE_IS_GCE": "NO",
    # A fork keeps no threads, so that no library may start a pool while it is imported.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # The stack of a native crash goes to the log.
    "PYTHONFAULTHANDLER": "1",
}


def server_environment(python_path: Sequence[Path], variables: Mapping[str, str]) -> dict[str, str]:
    """Return all variables of a fork server.

    Args:
        python_path: Directories searched for modules before this process's own.
        variables: Further ones, e.g. ``GDAL_CACHEMAX``; they cannot replace the fixed ones.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = [*(str(each) for each in python_path), *(str(Path(each).absolute()) for each in sys.path)]
    return inherited | dict(variables) | _FIXED | {"PYTHONPATH": os.pathsep.join(path)}


def enter_workspace(workspace: str, read_url: str | None) -> None:
    """Point this process, a child, at its directory and at the one address it may read."""
    os.chdir(workspace)
    for name in ("TMPDIR", "CPL_TMPDIR"):
        os.environ[name] = workspace
    if read_url is not None:
        os.environ["CPL_VSIL_CURL_ALLOWED_FILENAME"] = f"/vsicurl/{read_url}"
