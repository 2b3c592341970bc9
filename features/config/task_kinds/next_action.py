"""Next best action: what each logged action brings over doing nothing."""

from features.config.task_kinds.kind import COMMON_KEYS, POPULATION_KEYS, TaskKind, listed

NEXT_ACTION = TaskKind(
    name="next_action",
    keys=COMMON_KEYS | POPULATION_KEYS | {"action", "nothing", "probability", "reward", "reward_unit", "costs"},
    needs=(("event", "action", "nothing", "reward"),),
    has_purchase_process=False,
    ranks_actions=True,
    outcome=lambda _: "reward",
    sums_money=lambda task: bool(task.reward) and task.reward_unit == "value",
    without_money=', or count rewards with reward_unit = "count"',
    baseline="`nothing`; the average of what was done where `nothing` was never logged",
    purpose="what each action brings over doing nothing. People who run campaigns use it to choose the action.",
    misuse="actions, costs or customers that were never tried: nothing is known of them",
    label=lambda task: f"the {task.reward_unit} of {listed(task.reward)} that comes",
    figures=(("per decision", "policy_value"),),
)
