"""The time limits of all outward calls, in seconds; docs/RELIABILITY.md has their table, written from this module.

Constants only: the authorizer loads this module at a cold start.
"""

# PostgreSQL. The wait for a free connection; before any other work for the request, it is the short one (container).
DATABASE_WAIT = 5.0
DATABASE_FIRST_WAIT = 1.0
DATABASE_KEPT_CONNECTION = 1.0
DATABASE_CONNECT = 3.0
DATABASE_STATEMENT = 5.0

# Valkey. The authorizer waits shorter: without a decision in time, API Gateway has none.
CACHE_CONNECT = 0.5
CACHE_COMMAND = 0.5
AUTHORIZER_CACHE_CONNECT = 0.3
AUTHORIZER_CACHE_REPLY = 0.3
REVOCATION_LIST = 1.0
COPIES_CONNECT = 0.25
COPIES_REPLY = 0.25
COPIES_READ = 1.0
COPIES_WRITE = 0.5

# The OpenID provider.
PROVIDER_CONNECT = 3.0
PROVIDER_READ = 5.0
PROVIDER_TOTAL = 8.0
# The provider may have replaced the refresh token already.
REFRESH_TOTAL = 25.0
SIGN_OUT_REVOCATIONS = 3.0
# The data keys of the tokens to revoke, for a session that has ended already.
SIGN_OUT_KEYS = 1.0
METADATA = 3.0
KEYS_ATTEMPT = 3.0
KEYS_TOTAL = 5.0
STALE_KEYS = 2.0
BACKGROUND_KEYS = 10.0

# The built-in provider's logout tokens, to one of its clients.
LOGOUT_TOKEN_CONNECT = 1.0
LOGOUT_TOKEN_TOTAL = 5.0

# The audit event of a refused request: its key, then the event itself.
AUDIT_KEY = 0.5
AUDIT_EVENT = 1.0

SECRETS_CONNECT = 1
SECRETS_READ = 2

# AWS KMS: of one attempt, and of up to two.
KMS_CONNECT = 1
KMS_READ = 1
KMS_TOTAL = 3.0

# Amazon S3: of each of up to three attempts.
S3_CONNECT = 2
S3_READ = 10
