"""Files in, arrays out: ids, feature matrices, targets, and how they fit together."""
