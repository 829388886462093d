"""Tools for working on Wherry; none of them is part of the package."""
