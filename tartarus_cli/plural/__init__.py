"""Several models of one experiment: with several seeds, or on several folds."""
