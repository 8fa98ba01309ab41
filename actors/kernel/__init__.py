"""An actor runtime on pykka and asyncio. It knows no SQL, no HTTP and no service."""
