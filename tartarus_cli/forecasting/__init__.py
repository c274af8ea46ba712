"""What a piece of work will take, from a few measured steps: nothing of it is done or written."""
