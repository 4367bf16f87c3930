"""The code that stages and commands share: one package for each kind of work.

`params` checks params.yaml as a whole; every other package depends on `base` and on no other, but
`serving` and `report`, which only commands use.
"""
