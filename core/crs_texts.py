"""Which texts can name a coordinate reference system at all; whether one is known, PROJ decides."""

import re
from typing import Final

# Anything else GDAL may take for a file or an address.
_PLAUSIBLE: Final = re.compile(r"\s*(?:[A-Za-z_]+:[A-Za-z0-9]+\s*$|[A-Za-z]+\s*\[|\+proj=|\{)")


def can_be_crs(text: str) -> bool:
    """Tell whether a text is an authority code, WKT, a PROJ string or PROJJSON by its looks."""
    return _PLAUSIBLE.match(text) is not None
