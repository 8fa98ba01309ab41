"""What users subclass, and the actor that hosts it."""
