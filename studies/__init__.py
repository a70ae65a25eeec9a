"""The scripts behind figures of the docs that no plain command gives; runnable, not part of the library."""
