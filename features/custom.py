"""The address under which users' feature modules of before find what a function of theirs takes and says."""

from features.language.functions import Seen, feature

__all__ = ["Seen", "feature"]
