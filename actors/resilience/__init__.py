"""What keeps one failing dependency from failing those who depend on it."""
