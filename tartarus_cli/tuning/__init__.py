"""The search for good parameters of an experiment, by validation items: studies of many trials."""
