"""Files that cannot be published: the code, what was found, and that nothing else was read."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from core.errors import TaskFailed
from services.raster.models import WriteCog
from services.raster.native.cog import write_cog
from tests.raster.factory import RGB, Desk, codes, dem, landcover, rgb

VRT = """<VRTDataset rasterXSize="10" rasterYSize="10"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""
GDALG = json.dumps({"type": "gdal_streamed_alg", "command_line": "gdal raster read /etc/passwd"})


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.tif", b"The quick brown fox.\n", "plain text"),
        ("a.tif", b"\x00\x01\x02random" * 9, "in no format that is known here"),
        ("a.vrt", VRT.encode(), "a GDAL virtual dataset (VRT)"),
        ("a.tif", VRT.encode(), "a GDAL virtual dataset (VRT)"),
        ("a.asc", b"ncols 3\nnrows 3\n" + VRT.encode(), "a GDAL virtual dataset (VRT)"),
        ("a.json", GDALG.encode(), "a GDAL algorithm (GDALG)"),
        ("a.tif", b'{"type": "FeatureCollection"}', "JSON"),
        ("a.xml", b'<GDAL_WMS><Service name="TMS"/></GDAL_WMS>', "a web map service description"),
        ("a.tif", b"<!DOCTYPE html><html></html>", "an HTML page"),
        ("a.tif", b"PK\x03\x04rest", "a ZIP archive"),
        ("a.nc", b"\x89HDF\r\n\x1a\n", "HDF5 or netCDF-4"),
        ("a.jpg", b"\xff\xd8\xff\xe0rest", "JPEG"),
        ("N10E010.hgt", b"\x00\x01" * 100, "in no format that is known here"),
    ],
)
def test_what_is_no_raster_is_refused_by_what_it_is(
    desk: Desk, name: str, content: bytes, found: str
) -> None:
    (desk.workspace / name).write_bytes(content)

    error = desk.refusal(name)

    assert (error.code.code, error.details["found"]) == ("raster.unsupported_format", found)


def test_an_empty_file_is_refused(desk: Desk) -> None:
    (desk.workspace / "a.tif").touch()

    assert desk.refusal().code.code == "blob.empty"


@pytest.mark.parametrize("compress", ["NONE", "DEFLATE", "LZW"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused(desk: Desk, compress: str, keep: float) -> None:
    path = desk.make(pixels=rgb(), profile={"compress": compress})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])

    assert desk.refusal().code.code == "raster.truncated"


def test_a_file_cut_off_before_its_directory_is_refused(desk: Desk) -> None:
    (desk.workspace / "a.tif").write_bytes(b"II*\x00" + struct.pack("<I", 5000) + b"\x00" * 100)

    assert desk.refusal().code.code == "raster.truncated"


@pytest.mark.parametrize("compress", ["DEFLATE", "LZW"])
def test_a_damaged_block_in_the_middle_is_found_with_its_rows(desk: Desk, compress: str) -> None:
    path = desk.make(pixels=rgb(), profile={"compress": compress})
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    damaged = bytearray(path.read_bytes())
    damaged[offset + 2 : offset + 2000] = b"\xff" * 1998
    path.write_bytes(damaged)

    error = desk.refusal()

    assert error.code.code == "raster.corrupt"
    assert error.message.startswith("rows ")
    assert str(desk.workspace) not in error.message


def test_a_raster_without_pixels_is_refused(desk: Desk) -> None:
    entries = [(256, 3, 0), (257, 3, 5), (258, 3, 8), (262, 3, 1), (273, 4, 8), (279, 4, 1)]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    header = b"II*\x00" + struct.pack("<IH", 8, len(entries))
    (desk.workspace / "a.tif").write_bytes(header + directory + struct.pack("<I", 0))

    error = desk.refusal()

    assert (error.code.code, error.message) == ("raster.size_zero", "a.tif is 0 x 5 pixels")


@pytest.mark.parametrize(
    ("domain", "key"),
    [("OVERVIEWS", "OVERVIEW_FILE"), ("GEOLOCATION", "X_DATASET"), ("GEOLOCATION", "Y_DATASET")],
)
@pytest.mark.parametrize("target", ["/etc/passwd", "/vsicurl/http://127.0.0.1:9/a.tif", ":::BASE:::.x"])
def test_a_tiff_that_points_at_another_file_is_refused(
    desk: Desk, domain: str, key: str, target: str
) -> None:
    desk.make(pixels=rgb(), domain_tags={domain: {key: target}})

    error = desk.refusal()

    assert (error.code.code, error.details["reference"]) == ("raster.external_reference", target)


@pytest.mark.parametrize("name", ["a.tif.aux.xml", "a.aux.xml"])
def test_an_auxiliary_file_that_points_at_another_file_is_refused(desk: Desk, name: str) -> None:
    desk.make(pixels=rgb())
    item = '<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/etc/passwd</MDI></Metadata>'
    (desk.workspace / name).write_text(f"<PAMDataset>{item}</PAMDataset>")

    error = desk.refusal(sidecars=[name])

    assert (error.code.code, error.details["file"]) == ("raster.external_reference", name)


def test_a_link_out_of_the_workspace_is_refused(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "a.tif"
    elsewhere.write_bytes(desk.make("b.tif", pixels=rgb()).read_bytes())
    (desk.workspace / "a.tif").symlink_to(elsewhere)

    assert desk.refusal().code.code == "raster.external_reference"
    assert desk.refusal("../elsewhere/a.tif").code.code == "raster.external_reference"


def test_complex_numbers_are_refused(desk: Desk) -> None:
    desk.make(pixels=rgb(64).astype("complex64"))

    assert desk.refusal().code.code == "raster.complex_unsupported"


def test_a_raster_without_crs_is_refused_until_the_caller_gives_one(desk: Desk) -> None:
    desk.make(pixels=rgb(), crs=None)

    error = desk.refusal()
    report = desk.inspect(input_crs="EPSG:32633")

    assert (error.code.code, "input_crs" in error.code.remedy) == ("raster.crs_missing", True)
    assert (report.crs, report.crs_source) == ("EPSG:32633", "input_crs")
    assert "raster.crs_assumed" in codes(report.findings)


@pytest.mark.parametrize("parameter", ["input_crs", "target_crs"])
@pytest.mark.parametrize("text", ["EPSG:999999", "nonsense", "/etc/passwd", "EPSG:5714", ""])
def test_an_unknown_crs_is_refused(desk: Desk, parameter: str, text: str) -> None:
    desk.make(pixels=rgb(), crs=None if parameter == "input_crs" else "EPSG:32633")

    error = desk.refusal(**{parameter: text})

    expected = "raster.crs_missing" if parameter == "input_crs" and not text else "raster.crs_unknown"
    assert error.code.code == expected


def test_a_crs_that_contradicts_the_file_is_refused(desk: Desk) -> None:
    desk.make(pixels=rgb())

    error = desk.refusal(input_crs="EPSG:32634")

    assert error.code.code == "raster.crs_mismatch"
    assert "EPSG:32633" in error.message
    assert "EPSG:32634" in error.message


def test_another_spelling_of_the_same_crs_is_no_contradiction(desk: Desk) -> None:
    desk.make(pixels=rgb())
    spelled = rasterio.CRS.from_epsg(32633).to_wkt(version="WKT1_ESRI")

    assert desk.inspect(input_crs=spelled).crs_source == "confirmed"


NAN = float("nan")


@pytest.mark.parametrize(
    "transform", [Affine(NAN, 0, 0, 0, -1, 0), Affine(10, 0, NAN, 0, -10, 5e6), Affine(10, 0, 5e5, 0, 0, 5e6)]
)
def test_a_geotransform_that_is_no_number_is_refused(desk: Desk, transform: Affine) -> None:
    desk.make(pixels=rgb(), transform=transform)

    assert desk.refusal().code.code == "raster.geotransform_invalid"


def test_a_raster_that_nothing_places_is_refused(desk: Desk) -> None:
    desk.make(pixels=rgb(), transform=None, crs="EPSG:32633")

    assert "raster.georeferencing_missing" in codes(desk.refusal().details["findings"])


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(0.1, 0, 500_000, 0, -0.1, 5_600_000)),
        ("EPSG:4326", Affine(1, 0, -400, 0, -0.1, 40)),
        ("EPSG:32633", Affine(1e9, 0, 1e12, 0, -1e9, 1e15)),
    ],
)
def test_an_extent_that_the_crs_cannot_hold_is_refused(desk: Desk, crs: str, transform: Affine) -> None:
    desk.make(pixels=rgb(), crs=crs, transform=transform)

    assert desk.refusal().code.code == "raster.extent_impossible"


def test_degrees_under_a_crs_in_metres_are_a_finding(desk: Desk) -> None:
    desk.make(pixels=rgb(), transform=Affine(0.001, 0, 15, 0, -0.001, 50))

    assert "raster.extent_suspicious" in codes(desk.inspect(target_crs="EPSG:32633").findings)


def test_a_raster_of_nothing_but_nodata_is_refused(desk: Desk) -> None:
    desk.make(pixels=np.full((1, 300, 300), -9999, np.int16), nodata=-9999)

    assert desk.refusal().code.code == "raster.no_data"


def test_one_value_everywhere_is_refused_unless_it_is_a_class(desk: Desk) -> None:
    desk.make(pixels=np.full((1, 300, 300), 7, np.uint8))

    report = desk.inspect(raster_type="categorical")

    assert desk.refusal().code.code == "raster.blank"
    assert "raster.blank" in codes(report.findings)


def test_a_huge_sparse_constant_is_refused_without_being_read(desk: Desk) -> None:
    path = desk.workspace / "a.tif"
    profile = {"driver": "GTiff", "width": 40_000, "height": 40_000, "count": 1, "dtype": "uint8"}
    with rasterio.open(
        path, "w", crs="EPSG:32633", transform=Affine(10, 0, 5e5, 0, -10, 5e6), tiled=True, sparse_ok=True,
        **profile,
    ) as dataset:  # fmt: skip
        dataset.update_tags(A="b")

    assert path.stat().st_size < 1_000_000
    assert desk.refusal().code.code == "raster.blank"


def test_everything_that_is_wrong_is_told_at_once(desk: Desk) -> None:
    desk.make(pixels=np.full((1, 300, 300), 7, np.float64), crs=None)

    error = desk.refusal(output_tier="visualization", strict_mode=True)

    assert set(codes(error.details["findings"])) >= {
        "raster.tier_unsuitable", "raster.crs_missing", "raster.blank", "raster.bit_depth",
    }  # fmt: skip
    first = next(item for item in error.details["findings"] if item["severity"] == "error")
    assert (error.code.code, error.code.remedy) == (first["code"], first["remedy"])


@pytest.mark.parametrize(
    ("pixels", "asked"),
    [(rgb(), "dem"), (rgb(), "categorical"), (dem(), "rgb"), (dem(), "categorical"), (landcover(), "rgb")],
)
def test_a_type_that_the_data_cannot_have_is_refused(desk: Desk, pixels: Any, asked: str) -> None:
    desk.make(pixels=pixels, colours=RGB if len(pixels) == 3 else ())

    error = desk.refusal(raster_type=asked)

    assert error.code.code == "raster.type_mismatch"


@pytest.mark.parametrize(
    ("pixels", "code"),
    [
        (dem(dtype="float64"), "raster.bit_depth"),
        (landcover().astype("float32"), "raster.bit_depth_classes"),
        (np.round(dem()).astype("float32"), "raster.bit_depth_integers"),
    ],
)
def test_a_wasteful_type_is_a_warning_and_an_error_if_strict(desk: Desk, pixels: Any, code: str) -> None:
    desk.make(pixels=pixels)

    assert code in codes(desk.inspect().findings)
    assert desk.refusal(strict_mode=True).code.code == code


def test_jpeg_is_refused_for_what_it_cannot_hold_and_left_out_of_all(desk: Desk) -> None:
    desk.make(pixels=dem())

    report = desk.inspect(output_tier="all")

    assert desk.refusal(output_tier="visualization").code.code == "raster.tier_unsuitable"
    assert report.tiers == ["analysis", "archive"]
    assert "raster.tier_unsuitable" in codes(report.findings)


def test_a_frame_of_a_usual_nodata_value_is_a_finding(desk: Desk) -> None:
    pixels = dem(dtype="int16")
    pixels[:, :60] = pixels[:, -60:] = pixels[:, :, :60] = pixels[:, :, -60:] = -9999
    desk.make(pixels=pixels)

    assert "raster.nodata_suspected" in codes(desk.inspect().findings)
    assert "raster.nodata_suspected" not in codes(desk.inspect(nodata=-9999).findings)


def test_a_nodata_value_that_the_type_cannot_hold_is_a_finding_and_not_kept(desk: Desk) -> None:
    path = desk.make(pixels=rgb(low=5), nodata=254)
    path.write_bytes(path.read_bytes().replace(b"254\x00", b"-99\x00", 1))

    report = desk.inspect()
    written = desk.cog()

    assert "raster.nodata_invalid" in codes(report.findings)
    assert (report.nodata, report.validity, report.unused_value) == (None, "none", 0)
    assert written.nodata == 0
    assert desk.refusal(nodata=-99).code.code == "raster.nodata_invalid"


def test_too_little_disk_is_told_before_anything_is_written(desk: Desk) -> None:
    path = desk.workspace / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=1_000_000, height=1_000_000, count=1, dtype="uint8",
        crs="EPSG:32633", transform=Affine(1, 0, 5e5, 0, -1, 5e6), tiled=True, sparse_ok=True,
        blockxsize=8192, blockysize=8192, bigtiff="YES",
    ) as dataset:  # fmt: skip
        dataset.update_tags(A="b")

    with pytest.raises(TaskFailed) as caught:
        write_cog(WriteCog(path="a.tif", raster_type="categorical"), desk.child)

    assert caught.value.code.code == "raster.disk_too_small"
    assert caught.value.details["needed"] > 2 * 10**12
    assert [file.name for file in desk.workspace.iterdir()] == ["a.tif"]


def test_classes_are_not_interpolated_even_if_asked(desk: Desk) -> None:
    desk.make(pixels=landcover())

    with pytest.raises(TaskFailed) as caught:
        desk.cog(warp_resampling="cubic")

    assert caught.value.code.code == "raster.resampling_invalid"


def test_the_samples_are_published_without_an_error(desk: Desk) -> None:
    samples = Path(__file__).parents[2] / "samples"
    for path in samples.glob("*.tif"):
        (desk.workspace / path.name).write_bytes(path.read_bytes())

    picture = desk.inspect("hurricane_miriam_modis.tif")
    heights = desk.inspect("jacksboro_fault_dem.tif")

    assert (picture.raster_type, picture.acquired and picture.acquired.datetime) == (
        "rgb",
        "2012-09-26T20:50:00Z",
    )
    assert (heights.raster_type, heights.units, heights.descriptions) == ("dem", ["m"], ["elevation"])
