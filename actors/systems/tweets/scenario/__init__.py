"""The brand monitor as a simulation plays it, with the embedded X at the end of a wire."""
