# Databricks notebook source
"""A notebook whose name another has too, but for the ending."""
