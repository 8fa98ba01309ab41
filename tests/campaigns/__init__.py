"""What takes minutes and judges with oracles of its own: make targets, not tests."""
