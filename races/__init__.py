"""Races of refreshes: many callers in several processes refresh one session at the same moment (`make races`)."""
