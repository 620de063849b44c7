"""The plugins of the development guide (docs/guide/plugins.md), each a file of its own; the tests run them, too."""
