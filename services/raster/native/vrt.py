"""A virtual raster over a file of the workspace, which says of it what the COG is to say.

The COG driver takes nodata, mask, names, units and colours from the dataset that it is given;
set on the finished file they would break its layout.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from rasterio.crs import CRS
from rasterio.dtypes import dtype_rev, typename_fwd
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader
from rasterio.transform import Affine

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST_TAG: Final = 32_768
_COLOURS: Final = {
    ColorInterp.undefined: "Undefined",
    ColorInterp.gray: "Gray",
    ColorInterp.palette: "Palette",
    ColorInterp.red: "Red",
    ColorInterp.green: "Green",
    ColorInterp.blue: "Blue",
    ColorInterp.alpha: "Alpha",
    ColorInterp.hue: "Hue",
    ColorInterp.saturation: "Saturation",
    ColorInterp.lightness: "Lightness",
    ColorInterp.cyan: "Cyan",
    ColorInterp.magenta: "Magenta",
    ColorInterp.yellow: "Yellow",
    ColorInterp.black: "Black",
}


@dataclass(frozen=True)
class View:
    """How a file is to be seen.

    Args:
        pixels: The file, open.
        names: Where descriptions, units, scales, colours and tags come from: `pixels`, or the
            raster that `pixels` was warped from.
        bands: Bands of `pixels` to show, 1-based.
        crs: CRS to show; None for that of the file.
        transform: None where control points or polynomials place the raster.
        nodata: Value to declare, None for none.
        mask: Bands of `pixels` of which one must be other than zero for a pixel to count:
            ``4`` for the fourth, ``mask,1`` for GDAL's mask of the first; empty for no mask.
        rpc_height: Metres above the ellipsoid, for polynomials.
    """

    pixels: DatasetReader
    names: DatasetReader
    bands: tuple[int, ...]
    crs: CRS
    transform: Affine | None
    nodata: float | None
    mask: tuple[str, ...] = ()
    rpc_height: float | None = None


def write_vrt(view: View, path: Path) -> None:
    """Write a view as a VRT file."""
    root = ET.Element("VRTDataset", rasterXSize=str(view.pixels.width), rasterYSize=str(view.pixels.height))
    _place(root, view)
    _add_metadata(root, view.names.tags(), None)
    for domain in ("IMAGERY",):
        _add_metadata(root, view.names.tags(ns=domain), domain)
    for index, band in enumerate(view.bands, start=1):
        _add_band(root, view, index, band)
    if view.mask:
        _add_mask(root, view)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=False)


def _place(root: ET.Element, view: View) -> None:
    wkt = view.crs.to_wkt(version="WKT2_2019")
    if view.transform is not None:
        ET.SubElement(root, "SRS").text = wkt
        ET.SubElement(root, "GeoTransform").text = ", ".join(
            repr(float(value)) for value in view.transform.to_gdal()
        )
    elif points := view.pixels.gcps[0]:
        listed = ET.SubElement(root, "GCPList", Projection=wkt)
        for number, point in enumerate(points):
            place = {"Pixel": point.col, "Line": point.row, "X": point.x, "Y": point.y, "Z": point.z or 0.0}
            ET.SubElement(
                listed, "GCP", {"Id": str(number)} | {key: repr(float(value)) for key, value in place.items()}
            )
    elif polynomials := view.pixels.rpcs:
        # GDAL evaluates polynomials at height zero unless told otherwise, and the COG driver
        # cannot be told: so the heights are counted from where the ground is.
        tags = dict(polynomials.to_gdal())
        tags["HEIGHT_OFF"] = repr(polynomials.height_off - (view.rpc_height or 0.0))
        _add_metadata(root, {key: str(value) for key, value in tags.items()}, "RPC")


def _add_metadata(parent: ET.Element, tags: dict[str, str], domain: str | None) -> None:
    kept = {key: value for key, value in tags.items() if len(value) <= _LONGEST_TAG}
    if not kept:
        return
    element = ET.SubElement(parent, "Metadata", {"domain": domain} if domain else {})
    for key, value in kept.items():
        ET.SubElement(element, "MDI", key=_clean(key)).text = _clean(value)


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)


def _add_band(root: ET.Element, view: View, index: int, band: int) -> None:
    pixels = view.pixels
    element = ET.SubElement(
        root, "VRTRasterBand", dataType=typename_fwd[dtype_rev[pixels.dtypes[band - 1]]], band=str(index)
    )
    # Statistics of the source are not those of the COG; the rest describes the band.
    tags = {key: value for key, value in _band_tags(view, index).items() if not key.startswith("STATISTICS_")}
    _add_metadata(element, tags, None)
    if index <= view.names.count:
        _add_names(element, view, index)
    else:
        ET.SubElement(element, "Description").text = "alpha"
        ET.SubElement(element, "ColorInterp").text = "Alpha"
    if view.nodata is not None:
        ET.SubElement(element, "NoDataValue").text = _number(view.nodata)
    _add_source(element, pixels, str(band))


def _band_tags(view: View, index: int) -> dict[str, str]:
    return dict(view.names.tags(index)) if index <= view.names.count else {}


def _add_names(element: ET.Element, view: View, index: int) -> None:
    names = view.names
    meaning = names.colorinterp[index - 1]
    ET.SubElement(element, "Description").text = _clean(names.descriptions[index - 1] or "")
    ET.SubElement(element, "UnitType").text = _clean(names.units[index - 1] or "")
    ET.SubElement(element, "Offset").text = _number(names.offsets[index - 1])
    ET.SubElement(element, "Scale").text = _number(names.scales[index - 1])
    ET.SubElement(element, "ColorInterp").text = _COLOURS.get(meaning, "Undefined")
    if meaning == ColorInterp.palette:
        table = ET.SubElement(element, "ColorTable")
        colours = names.colormap(index)
        for value in range(max(colours) + 1):
            rgba = colours.get(value, (0, 0, 0, 0))
            ET.SubElement(
                table, "Entry", {f"c{place}": str(part) for place, part in enumerate(rgba, start=1)}
            )


def _number(value: float) -> str:
    return "nan" if math.isnan(value) else repr(value)


def _add_source(element: ET.Element, pixels: DatasetReader, band: str) -> None:
    block_height, block_width = pixels.block_shapes[0]
    simple = ET.SubElement(element, "SimpleSource")
    ET.SubElement(simple, "SourceFilename", relativeToVRT="0").text = pixels.name
    options = ET.SubElement(simple, "OpenOptions")
    ET.SubElement(options, "OOI", key="OVERVIEW_LEVEL").text = "NONE"
    ET.SubElement(simple, "SourceBand").text = band
    ET.SubElement(
        simple,
        "SourceProperties",
        RasterXSize=str(pixels.width),
        RasterYSize=str(pixels.height),
        DataType=typename_fwd[dtype_rev[pixels.dtypes[0]]],
        BlockXSize=str(block_width),
        BlockYSize=str(block_height),
    )
    extent = {"xOff": "0", "yOff": "0", "xSize": str(pixels.width), "ySize": str(pixels.height)}
    ET.SubElement(simple, "SrcRect", extent)
    ET.SubElement(simple, "DstRect", extent)


def _add_mask(root: ET.Element, view: View) -> None:
    holder = ET.SubElement(root, "MaskBand")
    if len(view.mask) == 1:
        band = ET.SubElement(holder, "VRTRasterBand", dataType="Byte")
    else:
        band = ET.SubElement(holder, "VRTRasterBand", dataType="Byte", subClass="VRTDerivedRasterBand")
        ET.SubElement(band, "PixelFunctionType").text = "sum"
        ET.SubElement(band, "SourceTransferType").text = "UInt16"
    for origin in view.mask:
        _add_source(band, view.pixels, origin)
