"""What is said while working: every line passes the redactor."""
