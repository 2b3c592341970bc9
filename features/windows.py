"""The address under which users' feature modules of before find the feature language."""

from features.language.feature import Bound, Feature, Stream
from features.language.feature_set import FeatureSet

__all__ = ["Bound", "Feature", "FeatureSet", "Stream"]
