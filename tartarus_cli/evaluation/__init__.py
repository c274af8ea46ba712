"""How good predictions are: from files to figures."""
