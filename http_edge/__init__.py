"""The aiohttp edge: it turns HTTP into messages, and replies into HTTP. It knows no store."""
