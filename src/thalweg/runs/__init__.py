"""What a descent did, and the files that keep it."""
