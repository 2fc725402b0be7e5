"""Azurite, the blob storage emulator, with its data in the home."""

import http.client
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from config.defaults import StorageDefaults
from local import accounts
from local.accounts import Launch
from local.binaries import AZURITE_VERSION, NPM_PREFIX, Missing, find_azurite, find_node
from local.home import Home
from local.ports import LOOPBACK

ACCOUNT = "devstoreaccount1"
# Published by Microsoft as the key of every development account; it guards nothing.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINERS = (
    StorageDefaults.BRONZE_RASTERS,
    StorageDefaults.BRONZE_VECTORS,
    StorageDefaults.SILVER_COGS,
    StorageDefaults.SILVER_MOSAICJSON,
    StorageDefaults.SILVER_VECTORS,
    StorageDefaults.TEMP,
)


@dataclass(frozen=True)
class Azurite:
    """The blob service of one home.

    Args:
        home: Where its data lie.
        port: Port on the loopback interface.
    """

    home: Home
    port: int

    @property
    def data(self) -> Path:
        """Return the directory of the blobs and their metadata."""
        return self.home.root / "azurite"

    @property
    def connection_string(self) -> str:
        """Return what clients need to reach it."""
        endpoint = f"http://{LOOPBACK}:{self.port}/{ACCOUNT}"
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
        )

    def launch(self) -> Launch:
        """Return the command of the blob service, for an account that is not root.

        Raises:
            Missing: Node or Azurite is not installed.
        """
        node, script = find_node(), find_azurite()
        if node is None or script is None:
            raise Missing(f"Azurite {AZURITE_VERSION} is not in {NPM_PREFIX}: type `make install`")
        command = [str(node.executable), str(script), "--blobHost", LOOPBACK, "--blobPort", str(self.port)]
        command += ["--location", str(self.data), "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
        return accounts.unprivileged(command, reads=[node.executable, script, self.data])

    def prepare(self) -> None:
        """Make the data directory, owned by the account that the service runs under."""
        accounts.hand_over(self.data)

    def is_ready(self) -> bool:
        """Say whether it answers HTTP at all; without a key it answers 403."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2)
        try:
            connection.request("GET", f"/{ACCOUNT}?comp=list")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def provision(self) -> None:
        """Create the containers that are not there."""
        with BlobServiceClient.from_connection_string(self.connection_string) as client:
            for name in CONTAINERS:
                try:
                    client.create_container(name)
                except ResourceExistsError:
                    continue
