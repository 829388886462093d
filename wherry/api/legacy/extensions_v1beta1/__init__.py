"""The group everything beyond the core began in."""
