"""Backups of the database and their restoration: encrypted files in a folder.

Two kinds, both under one folder:

- A *dump* is every row as one snapshot shows it. Any PostgreSQL can be dumped and restored, by the owner of the tables.
- A *base* is a copy of a server's files. With the write-ahead log (WAL) that follows it, the server is restored at any
  moment. It needs a login that may replicate, and the programs of PostgreSQL.
"""
