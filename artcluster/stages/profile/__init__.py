"""Profiles: what an archive holds, before anything is clustered."""
