"""The address under which users' feature modules of before find the feature language."""

from features.language.feature import Bound, Feature, FeatureSet, Stream

__all__ = ["Bound", "Feature", "FeatureSet", "Stream"]
