"""What clients are told without anyone being asked."""
