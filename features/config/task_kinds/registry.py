"""Every kind of task by its name. A new kind is a file here, its name in `Kind` and its line in the table."""

from collections.abc import Mapping
from typing import Literal

from features.config.task_kinds.churn import CHURN
from features.config.task_kinds.cltv import CLTV
from features.config.task_kinds.kind import TaskKind
from features.config.task_kinds.next_action import NEXT_ACTION
from features.config.task_kinds.propensity import PROPENSITY

Kind = Literal["churn", "propensity", "cltv", "next_action"]

TASK_KINDS: Mapping[str, TaskKind] = {kind.name: kind for kind in (CHURN, PROPENSITY, CLTV, NEXT_ACTION)}
