"""The garbage collector: objects go when their owners have gone.

`graph` knows who owns whom over all kinds; `plan` decides what becomes of one object; `collector`
follows every resource there is and acts. Deleting an owner in the foreground waits for its
dependents, orphaning cuts them loose first, in the background they follow.
"""
