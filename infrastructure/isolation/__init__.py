"""Adapters of `core.ports.isolation`: native code in children that can be killed."""

from infrastructure.isolation.inline import InlineRunner
from infrastructure.isolation.runner import ForkServerRunner

__all__ = ["ForkServerRunner", "InlineRunner"]
