"""Tests of the search page in a browser."""
