"""A deterministic simulation of the whole engine on its in-memory adapters.

A seed decides everything: what is submitted, who does which step when, and what breaks. The real
core runs unchanged; only its ports are in the simulation's hands.
"""
