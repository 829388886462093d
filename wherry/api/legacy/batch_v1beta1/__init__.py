"""Cron jobs before v1."""
