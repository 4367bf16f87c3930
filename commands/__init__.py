"""What a person runs, one module for each: only what `make` calls."""
