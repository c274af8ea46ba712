"""A new workspace, and the synthetic world that can fill it."""
