"""What the kernel can compute of a stream, by the number it goes by inside compiled code.

Figures of one group are written by one function in one walk, so a block holds its figures group by group and, within a
group, by window.
"""

GROUPS = 10
AMOUNTS, MORE, CHANGES, RHYTHM, DAYS, REPEATS, SEQUENCE, SESSIONS, DISTINCT, VARIETY = range(GROUPS)

COUNT, REFUNDS, SUM, MEAN, MAX = range(5)
MIN, STD, LAST, FIRST, GROSS, REFUNDED = range(6)
COUNT_RATIO, SUM_RATIO, COUNT_SLOPE, SUM_SLOPE, COUNT_ACCELERATION, SUM_ACCELERATION = range(6)
RECENCY, TENURE, GAP_MEAN, GAP_STD, GAP_MAX, GAP_CV, SILENCE = range(7)
ACTIVE_DAYS, ACTIVE_SHARE, HOUR_SHARE, WEEKDAY_SHARE = range(4)
REPEAT_DAYS, REPEAT_SPAN, REPEAT_AGE, REPEAT_VALUE, STREAK_LONGEST, STREAK_LAST = range(6)
LAST_1, LAST_2, LAST_3, TRANSITIONS, FUNNEL = range(5)
COUNTED, LENGTH, DEPTH, BOUNCES = range(4)
DIFFERENT = 0
TOP_SHARE, ENTROPY, REPEAT_SHARE = range(3)
SEASON_SIN, SEASON_COS, WEEKDAY = range(3)  # of the cutoff alone

SEASONS = {"season_sin": SEASON_SIN, "season_cos": SEASON_COS, "weekday": WEEKDAY}
FIGURES = {  # by the name of the feature's kind: (group, number)
    "count": (AMOUNTS, COUNT),
    "refunds": (AMOUNTS, REFUNDS),
    "sum": (AMOUNTS, SUM),
    "mean": (AMOUNTS, MEAN),
    "max": (AMOUNTS, MAX),
    "min": (MORE, MIN),
    "std": (MORE, STD),
    "last": (MORE, LAST),
    "first": (MORE, FIRST),
    "gross": (MORE, GROSS),
    "refunded": (MORE, REFUNDED),
    "count_ratio": (CHANGES, COUNT_RATIO),
    "sum_ratio": (CHANGES, SUM_RATIO),
    "count_slope": (CHANGES, COUNT_SLOPE),
    "sum_slope": (CHANGES, SUM_SLOPE),
    "count_acceleration": (CHANGES, COUNT_ACCELERATION),
    "sum_acceleration": (CHANGES, SUM_ACCELERATION),
    "recency": (RHYTHM, RECENCY),
    "tenure": (RHYTHM, TENURE),
    "gap_mean": (RHYTHM, GAP_MEAN),
    "gap_std": (RHYTHM, GAP_STD),
    "gap_max": (RHYTHM, GAP_MAX),
    "gap_cv": (RHYTHM, GAP_CV),
    "silence": (RHYTHM, SILENCE),
    "active_days": (DAYS, ACTIVE_DAYS),
    "active_share": (DAYS, ACTIVE_SHARE),
    "hour_share": (DAYS, HOUR_SHARE),
    "weekday_share": (DAYS, WEEKDAY_SHARE),
    "repeat_days": (REPEATS, REPEAT_DAYS),
    "repeat_span": (REPEATS, REPEAT_SPAN),
    "repeat_age": (REPEATS, REPEAT_AGE),
    "repeat_value": (REPEATS, REPEAT_VALUE),
    "streak_longest": (REPEATS, STREAK_LONGEST),
    "streak_last": (REPEATS, STREAK_LAST),
    "last_1_is": (SEQUENCE, LAST_1),
    "last_2_is": (SEQUENCE, LAST_2),
    "last_3_is": (SEQUENCE, LAST_3),
    "transitions": (SEQUENCE, TRANSITIONS),
    "funnel": (SEQUENCE, FUNNEL),
    "sessions": (SESSIONS, COUNTED),
    "session_length": (SESSIONS, LENGTH),
    "session_depth": (SESSIONS, DEPTH),
    "bounce_share": (SESSIONS, BOUNCES),
    "distinct": (DISTINCT, DIFFERENT),
    "top_share": (VARIETY, TOP_SHARE),
    "entropy": (VARIETY, ENTROPY),
    "repeat_share": (VARIETY, REPEAT_SHARE),
}
