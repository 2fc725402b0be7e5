"""Benchmarks: each beside a peer, in one run, as ratios."""
