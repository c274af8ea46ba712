"""What this installation can do on this machine, what it lacks, and what mends it."""
