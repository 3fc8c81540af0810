"""Write the table of routes in `docs/API_ARCHITECTURE.md`, from template.yaml and the OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambda_gateway.template.document import load_template
from tenantgate_cli.generate.openapi import openapi_document

PAGE = Path("docs/API_ARCHITECTURE.md")
BEGIN, END = "<!-- routes: written by `make docs` -->", "<!-- /routes -->"


def architecture_page() -> str:
    """Return the page with its table of routes updated."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{_table()}\n\n{END}{rest.partition(END)[2]}"


def _table() -> str:
    lines = ["| route | function | purpose | authentication |", "|---|---|---|---|"]
    operations = json.loads(openapi_document())["paths"]
    for body in load_template(Path("template.yaml"))["Resources"].values():  # type: ignore[attr-defined]
        if body["Type"] != "AWS::Serverless::Function":
            continue
        properties = body["Properties"]
        folder = properties["CodeUri"].removeprefix("functions/").rstrip("/")
        for event in properties.get("Events", {}).values():
            given = event["Properties"]
            route = f"`{given['Method']} {given['Path']}`" if "Path" in given else "any other route"
            lines.append(
                f"| {route} | {folder} | {_first_lower(properties['Description'])} | {_credential(given, operations)} |"
            )
    return "\n".join(lines)


def _credential(given: Mapping[str, Any], operations: Mapping[str, Any]) -> str:
    if "Auth" in given:
        return "the authorizer"
    operation = operations.get(str(given.get("Path")), {}).get(str(given.get("Method", "")).lower(), {})
    schemes = {scheme for need in operation.get("security", []) for scheme in need}
    if schemes == {"session"}:
        return "verifies the session itself"
    if "session" in schemes:
        return "verifies the token or the session itself"
    return "verifies the token itself" if schemes else "none"


def _first_lower(text: str) -> str:
    return text if re.match("[A-Z]{2}", text) else text[0].lower() + text[1:]
