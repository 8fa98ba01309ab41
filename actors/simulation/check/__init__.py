"""What a scenario holds its history to."""
