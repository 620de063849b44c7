"""Samplers that ship: `percentage-sampler` and `time-based-sampler`."""
