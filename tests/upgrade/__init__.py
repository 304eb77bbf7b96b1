"""Upgrade and rollback: what an older program left behind is carried on by this one, and the way back."""
