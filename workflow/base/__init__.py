"""What every stage needs: errors and signals, checked settings, files and arrays.

Used by all other packages; a change here makes every stage stale.
"""
