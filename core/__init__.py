"""The engine: vocabulary, ports and rules, without vendors and without settings."""
