"""Server-side sessions: what a signed-in browser's cookie stands for."""
