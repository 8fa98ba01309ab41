"""The embedded X: what a client of the X API v2 can tell, without an account at X."""
