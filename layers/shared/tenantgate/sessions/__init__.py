"""Server-side sessions of signed-in browsers."""
