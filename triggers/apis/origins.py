"""Which pages of other origins may read the APIs: all of them, for they carry no cookies."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware


def allow_every_origin(app: FastAPI) -> None:
    """Let maps on other sites ask for tiles and features, as the STAC API's library does by itself."""
    app.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST", "OPTIONS"], allow_headers=["*"]
    )
