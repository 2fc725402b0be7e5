"""Job types: declarations without I/O."""
