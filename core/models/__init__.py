"""Values of the engine."""
