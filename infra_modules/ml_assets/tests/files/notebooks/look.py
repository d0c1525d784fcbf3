# Databricks notebook source
"""A notebook."""

print("Look at the wines.")
