"""Adapters: the only code that opens a connection to a database, a blob store or a bus."""
