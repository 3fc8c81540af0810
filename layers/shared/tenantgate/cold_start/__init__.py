"""Techniques that make cold starts faster, and nothing else: without this package the product behaves the same.

    module                       used by                          gain measured alone
    image                        `tenantgate/__init__.py`         docs/PERFORMANCE.md, "What each technique gains"
    late_typing, collector       `functions/authorizer`
    generated_code, web_import,  `web/lambda_adapter.py`
    collector

`image`, `late_typing` and `collector` serve the authorizer, so they import only the standard library; `web_import`
imports pydantic and FastAPI. `layers/shared/build/prepare_start.py` writes the files that `image` and `generated_code`
read.
"""
