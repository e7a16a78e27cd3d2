"""The texts of a bundle: templates in files beside this one, which look like their results."""

from importlib.resources import files
from string import Template


def fill(template: str, name: str = "", **values: object) -> str:
    """Fill `<template>.in`: `${name}` and `${NAME}` with the bundle's prefix, the rest by name."""
    text = (files("unspool.firmware") / f"{template}.in").read_text(encoding="utf-8")
    return Template(text).substitute(values, name=name, NAME=name.upper())
