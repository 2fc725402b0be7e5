"""The HTTP interface: one module per resource, each with a blueprint of its own."""
