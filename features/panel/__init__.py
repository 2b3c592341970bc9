"""The numbers of every (customer, cutoff)."""
