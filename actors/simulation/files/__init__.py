"""What a power cut leaves of SQLite's files."""
