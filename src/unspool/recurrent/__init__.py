"""Recurrent layers at deploy time: one module per cell, one shared time loop."""
