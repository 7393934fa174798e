"""Every interleaving of the clock protocol, in a model small enough to try them all."""
