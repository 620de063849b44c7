"""Webhook handlers that ship: signed HTTP, Slack, Microsoft Teams, e-mail, file and console."""
