"""The MLflow door: runs of training, registered versions of bundles, and the champion."""

from features import settings

settings.apply()  # before any module here imports MLflow, which reads its switches while it is imported
