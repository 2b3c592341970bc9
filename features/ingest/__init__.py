"""The verb that brings a log into the store."""
