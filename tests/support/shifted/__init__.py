"""The date of another day, for a whole run of the tests: see `sitecustomize`."""
