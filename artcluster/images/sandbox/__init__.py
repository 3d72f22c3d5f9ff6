"""Decoding in processes that may be killed, with limits of time, memory and system calls."""
