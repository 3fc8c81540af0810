"""Techniques that make cold starts faster, and nothing else: without this package the product behaves the same.

    module                                  used by
    image                                   `tenantgate/__init__.py`
    late_typing, collector                  `functions/authorizer/handler.py`
    generated_code, web_import, collector   `web/lambda_adapter.py`
    redis_import                            `cache/wiring.py`

docs/PERFORMANCE.md has the gain of each in milliseconds ("What each technique gains").

`image`, `late_typing` and `collector` serve the authorizer, so they import only the standard library; `web_import`
imports pydantic and FastAPI. `layers/shared/build/prepare_start.py` writes the files that `image` and `generated_code`
read.
"""
