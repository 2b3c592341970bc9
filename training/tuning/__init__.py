"""The Optuna door: which growth of trees gives the lowest loss on later rows, found by one process or by many."""
