"""Commands that are interrupted and killed at moments of their whole life: `make kills`."""
