"""A network in memory, under asyncio's own calls."""
