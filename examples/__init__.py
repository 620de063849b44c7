"""Example projects that run on Hotplane; the tests run them too."""
