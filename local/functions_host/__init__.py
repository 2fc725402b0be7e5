"""A stand-in for the Azure Functions host: serves any Python v2-model app from its directory.

The supervisor (`supervisor.py`) owns the listening socket and the clock that ends overdue
invocations; worker processes (`worker.py`) import the app and run its functions. Decoding and
encoding of bindings is left to the converters of the `azure-functions` library, which are the
ones that the real worker uses.
"""
