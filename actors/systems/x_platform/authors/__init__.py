"""Who tweets in the embedded X, and what."""
