"""Sheets of small pictures: as one image, or as one page."""
