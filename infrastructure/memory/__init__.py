"""Adapters without a server: for unit tests and for the simulation of the engine."""
