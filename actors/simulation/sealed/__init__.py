"""What asks for the real world is refused, and named."""
