"""Ready addresses of band combinations show the very pixels of the COG."""

import io
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import from_origin

from config.settings import DatabaseSettings, StorageSettings
from core.json import JsonObject
from core.ports.blobs import BlobRef, WriteOptions
from infrastructure.database import Database
from services.stac.band_combinations import band_combinations
from services.stac.items import build_raster_item
from services.stac.models import Statistics
from services.stac.spectral import name_bands
from tests.factories.apis import ApiAnswer, ApiClient
from tests.factories.catalogue import pgstac_catalogue
from tests.factories.raster_items import band, projection, raster_asset, raster_item
from tests.fixtures.azurite import AzuriteServer

NAMES = ("B02", "B03", "B04", "B08", "B11", "B12")
PIXELS = 96
WEST, NORTH, STEP = 15.0, 50.0, 0.001
COMPOSITES = {
    "natural_colour": (3, 2, 1),
    "colour_infrared": (4, 3, 2),
    "swir": (6, 4, 3),
    "agriculture": (5, 4, 1),
    "geology": (6, 5, 1),
}
INDICES = {"ndvi": (4, 3), "ndwi": (2, 4), "ndmi": (4, 5), "nbr": (4, 6)}


@dataclass(frozen=True)
class Scene:
    """A published multispectral COG.

    Args:
        pixels: What the COG holds, read back with GDAL: bands, rows, columns.
    """

    client: ApiClient
    pixels: Any
    item: JsonObject

    def preview(self, render: str) -> str:
        served = self.client.get(f"/api/stac/collections/system-rasters/items/{self.item['id']}").json
        [href] = [link["href"] for link in served["links"] if link.get("render") == render]
        return str(href)

    def array(self, href: str, **changes: str | None) -> Any:
        """Return what an address shows as numbers, at the COG's own size: bands, and the mask last."""
        parts = urlsplit(href)
        query: dict[str, Any] = parse_qs(parts.query) | {"max_size": str(PIXELS)} | changes
        kept = {name: value for name, value in query.items() if value is not None}
        path = f"{parts.path.replace('.png', '.npy')}?{urlencode(kept, doseq=True)}"
        answer = self.client.get(path)
        assert answer.status == 200, answer.body
        return np.load(io.BytesIO(answer.body))


@pytest.fixture
def storage(azurite: AzuriteServer) -> StorageSettings:
    # Other tests of the session publish into the containers of the defaults.
    return azurite.settings(silver_cogs=f"silver-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def client(database_settings: DatabaseSettings, storage: StorageSettings) -> Iterator[ApiClient]:
    client = ApiClient(database_settings, storage)
    yield client
    client.close()


@pytest.fixture
def scene(client: ApiClient, database: Database, storage: StorageSettings, tmp_path: Path) -> Scene:
    cog = write_cog(tmp_path / "scene_cog.tif")
    with rasterio.open(cog) as opened:
        pixels = opened.read()
    item = publish(client, database, BlobRef(storage.silver_cogs, "scenes/scene_cog.tif"), cog, pixels)
    return Scene(client, pixels, item)


def write_cog(path: Path) -> Path:
    values = np.random.default_rng(7).integers(1, 10_000, (len(NAMES), PIXELS, PIXELS), dtype="uint16")
    with rasterio.MemoryFile() as memory:
        profile: dict[str, Any] = {
            "driver": "GTiff",
            "height": PIXELS,
            "width": PIXELS,
            "count": len(NAMES),
            "dtype": "uint16",
            "crs": "EPSG:4326",
            "transform": from_origin(WEST, NORTH, STEP, STEP),
            "nodata": 0,
        }
        with memory.open(**profile) as made:
            made.write(values)
        rasterio.shutil.copy(memory.name, path, driver="COG", compress="DEFLATE")
    return path


def publish(client: ApiClient, database: Database, ref: BlobRef, cog: Path, pixels: Any) -> JsonObject:
    client.app.blobs.ensure_container(ref.container)
    client.app.blobs.upload(cog, ref, WriteOptions(content_type="image/tiff"))
    bands = name_bands(
        [
            band(
                name,
                description=name,
                data_type="uint16",
                nodata=0,
                unit=None,
                statistics=Statistics(minimum=float(values.min()), maximum=float(values.max())),
            )
            for name, values in zip(NAMES, pixels, strict=True)
        ]
    )
    east, south = WEST + PIXELS * STEP, NORTH - PIXELS * STEP
    grid = projection(
        code="EPSG:4326",
        shape=(PIXELS, PIXELS),
        transform=(STEP, 0.0, WEST, 0.0, -STEP, NORTH),
        bbox=(WEST, south, east, NORTH),
    )
    ring = [(WEST, south), (east, south), (east, NORTH), (WEST, NORTH), (WEST, south)]
    item = build_raster_item(
        raster_item(
            geometry={"type": "Polygon", "coordinates": [ring]},
            collection_id="system-rasters",
            # The library keeps items by their ids for a while, whatever database they came from.
            item_id=f"scene-{uuid.uuid4().hex}",
            assets={"data": raster_asset(href=client.app.blobs.url(ref), bands=bands, projection=grid)},
            bbox=(WEST, south, east, NORTH),
            renders=band_combinations(bands).renders,
        )
    )
    pgstac_catalogue(database).write(lambda writer: writer.upsert_items([item]))
    return item


def png(answer: ApiAnswer) -> Any:
    assert answer.status == 200, answer.body
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.MemoryFile(answer.body) as memory, memory.open() as opened:
            return opened.read()


@pytest.mark.parametrize("name", COMPOSITES)
def test_a_composite_shows_its_three_bands(scene: Scene, name: str) -> None:
    href = scene.preview(name)

    shown = scene.array(href, rescale=None)

    expected = scene.pixels[[number - 1 for number in COMPOSITES[name]]]
    assert np.array_equal(shown[:3], expected)


@pytest.mark.parametrize("name", COMPOSITES)
def test_a_composites_picture_is_stretched_over_the_statistics(scene: Scene, name: str) -> None:
    picture = png(scene.client.get(scene.preview(name)))

    expected = scene.pixels[[number - 1 for number in COMPOSITES[name]]].astype(float)
    low, high = expected.min(axis=(1, 2), keepdims=True), expected.max(axis=(1, 2), keepdims=True)
    stretched = (expected - low) / (high - low) * 255
    assert np.abs(picture[:3].astype(float) - stretched).max() <= 1


@pytest.mark.parametrize("name", INDICES)
def test_an_index_is_the_quotient_of_its_bands(scene: Scene, name: str) -> None:
    shown = scene.array(scene.preview(name), rescale=None, colormap_name=None)

    first, second = (scene.pixels[number - 1].astype(float) for number in INDICES[name])
    assert np.allclose(shown[0], (first - second) / (first + second), atol=1e-6)


@pytest.mark.parametrize("name", INDICES)
def test_an_indexs_picture_opens(scene: Scene, name: str) -> None:
    assert png(scene.client.get(scene.preview(name))).shape == (4, PIXELS, PIXELS)


def test_every_render_has_an_address(scene: Scene) -> None:
    assert set(scene.item["properties"]["renders"]) == {*COMPOSITES, *INDICES}


@pytest.mark.parametrize(
    "href",
    [
        "https://example.com/scene.tif",
        "/vsicurl/https://example.com/scene.tif",
        "/etc/hostname",
        "{account}/bronze-rasters/secret.tif",
        "/vsiaz/bronze-rasters/secret.tif",
    ],
)
def test_only_published_rasters_of_this_account_are_read(scene: Scene, database: Database, href: str) -> None:
    account = scene.client.app.blobs.url(BlobRef("x", "y")).removesuffix("/x/y")
    stolen = {**scene.item, "id": f"stolen-{uuid.uuid4().hex}"}
    stolen["assets"] = {"data": {**scene.item["assets"]["data"], "href": href.format(account=account)}}
    pgstac_catalogue(database).write(lambda writer: writer.upsert_items([stolen]))

    path = f"/api/raster/collections/system-rasters/items/{stolen['id']}/preview.png?assets=data"
    answer = scene.client.get(path)

    assert answer.status == 404
    assert "no published raster of this account" in answer.json["detail"]


def test_a_collection_is_one_mosaic_of_published_rasters(scene: Scene) -> None:
    box = f"{WEST},{NORTH - PIXELS * STEP},{WEST + PIXELS * STEP},{NORTH}"

    answer = scene.client.get(
        f"/api/raster/collections/system-rasters/bbox/{box}/{PIXELS}x{PIXELS}.npy"
        "?assets=data%7Cbands%3Dnir,red,green"
    )

    assert answer.status == 200, answer.body
    shown = np.load(io.BytesIO(answer.body))
    assert np.array_equal(shown[:3], scene.pixels[[3, 2, 1]])


def test_maps_on_other_sites_may_read_tiles(scene: Scene) -> None:
    answer = scene.client.get(scene.preview("ndvi"), origin="https://maps.example")

    assert answer.headers["access-control-allow-origin"] == "*"
