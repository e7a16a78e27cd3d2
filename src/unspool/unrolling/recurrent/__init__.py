"""The recurrent cells, one module each, and the time loop that they share."""
