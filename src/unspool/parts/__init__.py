"""A network in parts: several binaries, each called once or in a loop, that hand sequences on."""
