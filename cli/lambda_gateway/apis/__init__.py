"""HTTP and REST APIs."""
