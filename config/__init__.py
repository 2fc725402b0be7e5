"""Settings: one class per concern, read from the environment."""
