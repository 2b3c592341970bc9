"""Frames of events or a panel in, score records out: what `mlflow.pyfunc` calls.

`Frames` stays here for the models that were registered when this was a file.
"""

from serving.frames.frames import Frames

__all__ = ["Frames"]
