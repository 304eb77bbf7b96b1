"""The command line on a project of its own, as in tests/cli."""

from __future__ import annotations

from tests.cli.conftest import command, project

__all__ = ["command", "project"]
