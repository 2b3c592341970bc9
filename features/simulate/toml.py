"""The configuration that goes with a simulated log."""

from features.simulate.customers import Shop
from features.timeline import iso

TEMPLATE = """\
# A simulated shop (seed {seed}). What is true of its customers lies in truth/ and is read by no training.
name = "shop"                          # registered models are shop.churn, shop.buys_again, …
workspace = "workspace"                # everything that is written
seed = {seed}

[log]
source = ["events.parquet"]
customer = "customer_id"
time = "timestamp"
event = "event_type"                   # view, cart, purchase, return, support, email
value = "value"                        # money of purchases; negative for returns
order = "order_id"                     # the lines of an order are one purchase
known = "ingested_at"                  # when the row reached us: a few come late
id = "event_id"
categories = ["channel", "product"]
numbers = ["quantity"]
complete_until = "{end}"

[profile]
source = ["customers.parquet"]
customer = "customer_id"
known = "updated_at"

[tasks.churn]                          # no purchase in the next 90 days
kind = "churn"
event = "purchase"
horizon_days = 90
active_days = 365

[tasks.buys_again]                     # a purchase in the next 30 days
kind = "propensity"
event = "purchase"
active_event = "purchase"
horizon_days = 30

[tasks.value]                          # what the next 90 days bring, returns taken off
kind = "cltv"
event = ["purchase", "return"]
active_event = "purchase"
horizon_days = 90

[tasks.offer]                          # which offer brings most in the two weeks after it
kind = "next_action"
event = "email"
action = "campaign"
nothing = "none"
probability = "send_probability"
reward = "purchase"
horizon_days = {effect_days}
costs = {{ discount = 1.5, newsletter = 0.05, none = 0.0 }}
"""


def config_text(shop: Shop) -> str:
    """The text of journeycast.toml for the shop's log.

    >>> 'complete_until = "2025-06-24T00:00:00Z"' in config_text(Shop())
    True
    """
    return TEMPLATE.format(seed=shop.seed, end=iso(shop.end_us), effect_days=shop.effect_days)
