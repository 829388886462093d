"""Which requests a webhook or policy is about: rules, versions that stand for each other, selectors."""
