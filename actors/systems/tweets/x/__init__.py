"""All that speaks to X: where it is and as whom, what it says, and when it is left alone."""
