"""From tables of plays or labels to datasets of cold items."""
