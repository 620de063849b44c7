"""Programs that use a running server through `hotplane.client`."""
