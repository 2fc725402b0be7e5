"""Ports: what the engine and the handlers need of the world outside, as Protocols."""
