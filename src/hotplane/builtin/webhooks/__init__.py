"""Webhook handlers that ship: `console-webhook-handler`."""
