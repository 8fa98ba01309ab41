"""Requests as no careful client makes them: odd ones, and bytes that no library would send."""
