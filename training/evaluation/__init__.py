"""What the chosen recipe is worth on a period later than all that chose it."""
