"""Hours of mixed load on one real host while everything around it breaks, and the accounts at the end."""
