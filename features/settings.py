"""The address under which `model.py` of models that were registered under it switches its libraries."""

from features.system.environment import apply

__all__ = ["apply"]
