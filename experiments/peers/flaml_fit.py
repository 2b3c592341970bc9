"""A search by FLAML. Runs by itself in the environment of `flaml.py`: task.npz, chance.npy, seconds."""

import logging
import sys
import warnings

import numpy as np
from flaml import AutoML


def main():
    """Search, refit on every cutoff, leave the probabilities of the asked rows."""
    warnings.filterwarnings("ignore")
    task, chance_file, seconds = np.load(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    automl = AutoML()
    automl.fit(
        X_train=task["earlier_x"],
        y_train=task["earlier_y"].astype(int),
        X_val=task["newest_x"],
        y_val=task["newest_y"].astype(int),
        task="classification",
        metric="log_loss",
        eval_method="holdout",
        time_budget=seconds,
        estimator_list=["lgbm", "xgboost", "xgb_limitdepth", "rf", "extra_tree"],
        retrain_full=False,
        n_jobs=1,
        seed=0,
        verbose=0,
    )
    automl.model.fit(task["every_x"], task["every_y"].astype(int))
    np.save(chance_file, automl.model.predict_proba(task["asked"])[:, 1])
    print(f"{automl.best_estimator}, validation log-loss {automl.best_loss:.4f}, {automl.best_config}")


if __name__ == "__main__":
    logging.disable(logging.INFO)
    main()
