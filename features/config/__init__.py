"""The TOML: its sections, its tasks, and how it is read."""
