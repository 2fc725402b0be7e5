"""What the pages with maps are made of, served from here: they work where there is no Internet."""

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jinja2
from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

_FOLDER: Final = Path(__file__).parent / "viewers"
# They change with a release only.
_CACHED: Final = {"Cache-Control": "public, max-age=86400"}


def add_static_files(app: FastAPI) -> None:
    """Let an app serve Leaflet, the viewers' own script and the outlines of the countries."""
    app.add_api_route("/static/countries.json", _countries, include_in_schema=False)
    app.mount("/static", _CachedFiles(directory=_FOLDER / "static"))


def templates(*packages: str) -> Jinja2Templates:
    """Return the pages of these packages, those with maps replaced by our own."""
    loaders: list[jinja2.BaseLoader] = [jinja2.FileSystemLoader(_FOLDER / "templates")]
    loaders += [jinja2.PackageLoader(package, "templates") for package in packages]
    environment = jinja2.Environment(
        autoescape=jinja2.select_autoescape(["html", "xml"]), loader=jinja2.ChoiceLoader(loaders)
    )
    return Jinja2Templates(env=environment)


class _CachedFiles(StaticFiles):
    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Return a file that browsers keep for a day."""
        response = super().file_response(*arguments, **options)
        response.headers.update(_CACHED)
        return response


def _countries() -> Response:
    content = (files("infrastructure") / "data" / "countries.json").read_bytes()
    return Response(content, media_type="application/json", headers=_CACHED)
