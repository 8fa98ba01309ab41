"""What must hold of a run's history and of its files."""
