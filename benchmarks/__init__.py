"""Speed, memory and known truth: each module is a program, `python -m benchmarks.NAME`."""
