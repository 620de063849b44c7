"""Samplers that ship: by rate, by time, by what an execution shows, and wrappers that keep a sampler within limits."""
