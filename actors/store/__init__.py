"""What a service remembers: one SQLite file each, written in transactions. It knows no HTTP."""
