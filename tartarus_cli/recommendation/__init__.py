"""Lists for users and for items."""
