"""Shops whose customers' true chances are known, and what is said of them."""
