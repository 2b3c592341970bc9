"""Switches of the libraries that are read from the environment, most of them while the library is imported.

`apply` runs first in every process: the command line and the tests call it before anything else, and so do the doors of
MLflow and BentoML, because a notebook imports them without the command line. Children inherit the environment.
"""

import os
from types import MappingProxyType

ENVIRONMENT = MappingProxyType(
    {
        "OMP_NUM_THREADS": "1",  # BLAS sums in one order; LightGBM is told its threads as an argument
        "OMP_WAIT_POLICY": "passive",  # threads that spin at a barrier starve each other on a busy machine
        "BENTOML_DO_NOT_TRACK": "True",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",  # law 7: no code in artefacts
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the defaults try for minutes before they say what is wrong
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_UV_AUTO_DETECT": "false",  # a model is ours, not of the folder that somebody happens to work in
        "GIT_PYTHON_REFRESH": "quiet",  # MLflow looks for git; a machine without it is no reason to warn
    }
)


def apply() -> None:
    """Set whatever of it the user has not set."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
