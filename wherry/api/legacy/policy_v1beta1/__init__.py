"""Disruption budgets before v1."""
