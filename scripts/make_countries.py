"""Write the country table of the catalogue from `samples/countries.zip` (Natural Earth, public domain)."""

import json
from pathlib import Path

import pyogrio
import shapely

_CHECKOUT = Path(__file__).parent.parent
_TARGET = _CHECKOUT / "infrastructure" / "data" / "countries.json"
# Natural Earth leaves the code of some out; what has none in ISO 3166 is left out here too.
_CODES = {"Norway": "NOR", "France": "FRA", "Kosovo": "XKX"}
_DEGREES = 0.0001


def main() -> None:
    """Write one country a line: code, name and GeoJSON in EPSG:4326."""
    countries = pyogrio.read_dataframe(f"/vsizip/{_CHECKOUT / 'samples' / 'countries.zip'}")
    lines = []
    for row in countries.itertuples():
        code = row.iso_a3 if str(row.iso_a3).isalpha() else _CODES.get(row.name)
        if code is None:
            continue
        shape = shapely.set_precision(shapely.make_valid(row.geometry), _DEGREES)
        country = {"iso3": code, "name": row.name, "geometry": json.loads(shapely.to_geojson(shape))}
        lines.append(json.dumps(country, separators=(",", ":"), ensure_ascii=False))
    _TARGET.parent.mkdir(exist_ok=True)
    _TARGET.write_text("[\n" + ",\n".join(sorted(lines)) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
