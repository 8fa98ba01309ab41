"""What a power cut leaves of SQLite's files, and what becomes of a folder between processes."""
