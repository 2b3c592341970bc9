"""Purchase processes: BG/NBD, Pareto/NBD, Gamma-Gamma, and what they expect."""
