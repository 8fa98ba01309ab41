"""Services that run elsewhere."""
