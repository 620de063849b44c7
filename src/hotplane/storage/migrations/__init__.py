"""The revisions of the tables, oldest first under `versions`; Alembic runs them when a store is opened."""
