"""What the engine promises, watched in every run; nothing here is shared with what it judges."""
