"""A failing script becomes the simplest that still fails."""
