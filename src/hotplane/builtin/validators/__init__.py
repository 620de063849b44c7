"""Validators that ship: by schema, by rules, by the expected output, and by latency."""
