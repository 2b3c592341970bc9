"""The address under which users' feature modules of before find what a function of theirs takes and says."""

from features.language.functions import VisibleRows, feature
from features.language.functions import VisibleRows as Seen

__all__ = ["Seen", "VisibleRows", "feature"]
