"""Keeping plugins alive: discovery, loading by generation, lifecycle, supervision, health."""
