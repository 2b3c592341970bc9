"""Customer lifetime value: the money that a customer brings."""

from features.config.task_kinds.kind import COMMON_KEYS, GINI, NARROWING_KEYS, POPULATION_KEYS, TaskKind, listed

CLTV = TaskKind(
    name="cltv",
    keys=COMMON_KEYS | POPULATION_KEYS | NARROWING_KEYS | {"margin"},
    needs=(("event",),),
    active_by_event=True,
    predicts_money=True,
    outcome=lambda _: "money",
    sums_money=lambda task: task.amount is None,
    baseline="what the customer brought in the last horizon, times one factor that makes the total right",
    purpose="the money a customer will bring. People who plan budgets use it to decide how much a customer may cost.",
    misuse="one customer's promise: the interval of one person is wide, sums over many are what it is good at",
    label=lambda task: f"the sum of `{task.amount or 'value'}` of {listed(task.event)}, returns taken off,",
    figures=(("skill", "skill"), GINI, ("RMSE", "rmse")),
    gained="value",
)
