"""The demo: ``python -m examples.demo`` runs a file of messages through a real server and sums up what happened."""
