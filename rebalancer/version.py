"""The version of the program, as reports, the journal and the commands name it."""

__version__ = "0.2.0"
