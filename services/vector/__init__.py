"""Vectors: handlers, their parameters, and what runs in the isolated child."""
