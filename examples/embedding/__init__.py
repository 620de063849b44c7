"""A small asyncio program with Hotplane inside: it edits its own plugin while it runs."""
