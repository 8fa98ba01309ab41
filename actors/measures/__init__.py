"""What is counted where it happens: plain numbers, which cost next to nothing."""
