"""The verb that reads a log and drafts a TOML for it."""
