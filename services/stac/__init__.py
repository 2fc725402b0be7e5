"""STAC 1.1.0 items and collections, built from plain descriptions: no GDAL, no database."""
