"""Export of predictions, layers and rankings in the formats of other programs."""
