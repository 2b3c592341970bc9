"""The MLflow door: runs of training, registered versions of bundles, and the champion."""

from features.system import environment

environment.apply()  # before any module here imports MLflow, which reads its switches while it is imported
