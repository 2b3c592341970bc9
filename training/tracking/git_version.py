"""Which code made a training, for those who read its run: the command, and the commit where there is a repository."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def source_tags(task_name: str, root: Path = ROOT) -> Mapping[str, str]:
    """The tags by which MLflow shows where a run comes from; `git` tells of changes that were not committed."""
    tags = {"mlflow.source.name": f"journeycast train {task_name}", "mlflow.source.type": "LOCAL"}
    if not (root / ".git").exists():
        return tags
    commit, described = _git(root, "rev-parse", "HEAD"), _git(root, "describe", "--always", "--dirty")
    named = {"mlflow.source.git.commit": commit, "git": described}
    return {**tags, **{name: text for name, text in named.items() if text}}


def _git(root: Path, *words: str) -> str:
    """What git says, empty where it is not installed or refuses."""
    try:
        done = subprocess.run(  # noqa: S603  words of ours
            ["git", *words],  # noqa: S607  wherever it is installed
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
