"""What a failing run is looked at with: what was said, which rows changed, what waits."""
