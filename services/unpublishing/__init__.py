"""Taking published data back: what goes with an item, and where it waits meanwhile."""
