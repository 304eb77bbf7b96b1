"""The vocabulary: reasons."""
