"""What happens in a run, as a value: requests, faults, and when."""
