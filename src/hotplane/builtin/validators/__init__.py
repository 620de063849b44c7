"""Validators that ship: `json-schema-validator`."""
