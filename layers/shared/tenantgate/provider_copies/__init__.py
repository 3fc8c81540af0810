"""Providers' metadata and key sets, shared between processes through Valkey."""
