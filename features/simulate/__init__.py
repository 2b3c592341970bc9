"""Shops whose truth is known."""
