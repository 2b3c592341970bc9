"""The HTTP service. `bentoml serve serving.service:Journeycast` finds it here."""

from serving.service.bento import Journeycast

__all__ = ["Journeycast"]
