"""Names of hyper-parameters: LightGBM's own wherever they are shown, the older ones in what is stored."""

from models.ladder.lightgbm import TreeParameters, lightgbm_name, unpack_tree_parameters

GROWTH = TreeParameters(12, 40, 0.3, 0.9, 5.0, 0.06)
STORED = {"leaves": 12, "min_rows": 40, "feature_share": 0.3, "row_share": 0.9, "l2": 5.0, "rate": 0.06}
SHOWN = {
    "num_leaves": 12,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.9,
    "lambda_l2": 5.0,
    "learning_rate": 0.06,
}


def test_hyper_parameters_are_shown_by_the_names_of_lightgbm() -> None:
    assert GROWTH.describe() == SHOWN
    assert [lightgbm_name(name) for name in STORED] == list(SHOWN)
    assert lightgbm_name("trees") == "trees"


def test_bundles_keep_the_names_that_they_had_and_both_are_read() -> None:
    assert GROWTH.pack() == STORED
    assert unpack_tree_parameters(STORED) == unpack_tree_parameters(SHOWN) == GROWTH
