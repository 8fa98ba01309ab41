"""What is known of a dependency outside: its breaker, and how often it may be asked again."""
