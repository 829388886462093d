"""The scheduling plugins, one per file, named after upstream's; `wherry.scheduler.catalog` lists them."""
