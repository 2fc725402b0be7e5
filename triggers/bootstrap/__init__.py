"""The composition root: settings become adapters, adapters become the app. Nothing else does this."""

from triggers.bootstrap.adapters import NATIVE_MODULES
from triggers.bootstrap.application import VERSION, App, app, drain_on_sigterm

__all__ = ["NATIVE_MODULES", "VERSION", "App", "app", "drain_on_sigterm"]
