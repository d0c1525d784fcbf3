"""This package provides a stand-in for the azurerm and databricks providers, for tests where no registry is reachable.

It speaks Terraform's plugin protocol 6 from fact files: the types and flags of the resource and data source types that
the modules use. It checks names, types, nesting and required arguments through Terraform itself, and makes plans. It
knows no cloud: enums, formats, conflicts, defaults and everything that a real provider works out are not there.
"""
