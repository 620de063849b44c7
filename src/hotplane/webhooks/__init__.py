"""Webhook handlers as resources: made, changed and removed while the host runs, and kept over restarts."""

from hotplane.webhooks.replaying import ReplayedPage
from hotplane.webhooks.service import Webhooks
from hotplane.webhooks.values import Tried, Webhook, WebhookChange, WebhookSpec

__all__ = ["ReplayedPage", "Tried", "Webhook", "WebhookChange", "WebhookSpec", "Webhooks"]
