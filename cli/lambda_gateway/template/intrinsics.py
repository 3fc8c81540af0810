"""Evaluate the intrinsic functions and conditions of CloudFormation that a local run needs."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping

from lambda_gateway.aws import ACCOUNT_ID, REGION, function_arn
from lambda_gateway.model import TemplateError

_PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
# The value of AWS::NoValue: what has it is absent.
NO_VALUE = object()
_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]+)\}")
_DYNAMIC = re.compile(r"\{\{resolve:ssm:([A-Za-z0-9_./-]+)(?::\d+)?\}\}")


class Resolver:
    """The values of one template. Every method raises TemplateError, which names the place in the template.

    parameters      override the defaults; the value of a list parameter is comma-separated
    exports, ssm    the values that other stacks have exported, and stored in the parameter store
    function_names  the names of functions by logical id, for those whose name is another
    """

    def __init__(
        self,
        document: Mapping[str, object],
        parameters: Mapping[str, str],
        *,
        stack: str = "local",
        exports: Mapping[str, str] | None = None,
        ssm: Mapping[str, str] | None = None,
        function_names: Mapping[str, str] | None = None,
    ) -> None:
        self._pseudo_parameters = {
            **_PSEUDO_PARAMETERS,
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{stack}/0",
        }
        self._exports = exports or {}
        self._ssm = ssm or {}
        self._function_names = function_names or {}
        self._parameters = _section(document, "Parameters")
        self._given = parameters
        self._conditions = _section(document, "Conditions")
        self._mappings = _section(document, "Mappings")
        self._resources = _section(document, "Resources")
        self._globals = {"Properties": _section(document, "Globals").get("Function")}
        self._functions: dict[str, Callable[[object, str], object]] = {
            "Ref": self._ref,
            "Condition": lambda name, where: self.condition(str(name), where),
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Equals": self._equals,
            "Fn::And": lambda terms, where: all(self._terms(terms, where)),
            "Fn::Or": lambda terms, where: any(self._terms(terms, where)),
            "Fn::Not": lambda terms, where: not self._terms(terms, where)[0],
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::FindInMap": self._find_in_map,
            "Fn::ImportValue": self._import_value,
            "Fn::Base64": lambda text, where: base64.b64encode(str(self.resolve(text, where)).encode()).decode(),
        }

    def resolve(self, value: object, where: str) -> object:
        """Evaluate the intrinsic functions in `value`, and omit members that are AWS::NoValue."""
        if isinstance(value, list):
            items = [self.resolve(item, where) for item in value]
            return [item for item in items if item is not NO_VALUE]
        if isinstance(value, str):
            return _DYNAMIC.sub(lambda found: self._stored(found.group(1), where), value)
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name in self._functions:
                return self._functions[name](argument, where)
            if isinstance(name, str) and name.startswith("Fn::"):
                raise TemplateError(f"{where}: {name} can't be evaluated locally")
        members = {key: self.resolve(member, f"{where}.{key}") for key, member in value.items()}
        return {key: member for key, member in members.items() if member is not NO_VALUE}

    def condition(self, name: str, where: str) -> bool:
        if name not in self._conditions:
            raise TemplateError(f"{where}: there is no condition {name}")
        return bool(self.resolve(self._conditions[name], f"Conditions.{name}"))

    def _ref(self, argument: object, where: str) -> object:
        name = str(argument)
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._pseudo_parameters:
            return self._pseudo_parameters[name]
        if name in self._parameters:
            return self._parameter(name, where)
        resource, _, part = name.partition(".")
        if resource in self._resources:
            return self._alias(resource, where) if part == "Alias" else name
        raise TemplateError(f"{where}: Ref names {name}, which is neither a parameter nor a resource")

    def _parameter(self, name: str, where: str) -> object:
        declared = self._parameters[name]
        declared = declared if isinstance(declared, dict) else {}
        value = self._given.get(name, declared.get("Default"))
        if value is None:
            raise TemplateError(f"{where}: parameter {name} has no default and no value")
        kind = str(declared.get("Type", ""))
        if kind.startswith("AWS::SSM::Parameter::Value"):
            value = self._stored(str(value), f"{where}: parameter {name}")
        if "List" in kind:
            return [item.strip() for item in str(value).split(",")] if str(value) else []
        return str(value)

    def _get_att(self, argument: object, where: str) -> object:
        name, attribute = argument if isinstance(argument, list) and len(argument) == 2 else (str(argument), "")
        resource = self._resources.get(str(name))
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if kind == "AWS::Serverless::Function" and attribute == "Arn":
            return function_arn(self._function_names.get(str(name), str(name)))
        if kind == "AWS::ApiGateway::RestApi" and attribute == "RootResourceId":
            return f"{name}.RootResourceId"
        if resource is None:
            raise TemplateError(f"{where}: GetAtt names {name}, which isn't a resource")
        raise TemplateError(f"{where}: {name}.{attribute} is unknown before a deployment")

    def _alias(self, function: str, where: str) -> str:
        """Return the ARN of the alias that SAM publishes for a function."""
        alias = _property(self._resources[function], "AutoPublishAlias") or _property(self._globals, "AutoPublishAlias")
        if alias is None:
            raise TemplateError(f"{where}: {function}.Alias: {function} has no AutoPublishAlias")
        name = _text(self.resolve(alias, where))
        return f"{function_arn(self._function_names.get(function, function))}:{name}"

    def _import_value(self, argument: object, where: str) -> object:
        name = _text(self.resolve(argument, where))
        if name not in self._exports:
            raise TemplateError(f"{where}: Fn::ImportValue: no stack exports {name}")
        return self._exports[name]

    def _stored(self, name: str, where: str) -> str:
        if name not in self._ssm:
            raise TemplateError(f"{where}: the parameter store has no {name}")
        return self._ssm[name]

    def _sub(self, argument: object, where: str) -> object:
        text, local = argument, {}
        if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
            text, local = argument[0], argument[1]

        def substitute(match: re.Match[str]) -> str:
            literal, name = match.group(1), match.group(2).strip()
            if literal:
                return f"${{{name}}}"
            if name in local:
                return str(self.resolve(local[name], where))
            if "." in name:
                return str(self._get_att(name.split(".", 1), where))
            return str(self._ref(name, where))

        return _SUBSTITUTION.sub(substitute, str(text))

    def _if(self, argument: object, where: str) -> object:
        condition, then, otherwise = _listed(argument, 3, "Fn::If", where)
        return self.resolve(then if self.condition(str(condition), where) else otherwise, where)

    def _equals(self, argument: object, where: str) -> object:
        one, other = _listed(argument, 2, "Fn::Equals", where)
        return _text(self.resolve(one, where)) == _text(self.resolve(other, where))

    def _terms(self, argument: object, where: str) -> list[bool]:
        if not isinstance(argument, list) or not argument:
            raise TemplateError(f"{where}: a condition function takes a list")
        return [bool(self.resolve(term, where)) for term in argument]

    def _join(self, argument: object, where: str) -> object:
        separator, items = _listed(argument, 2, "Fn::Join", where)
        resolved = self.resolve(items, where)
        if not isinstance(resolved, list):
            raise TemplateError(f"{where}: Fn::Join takes a list")
        return str(separator).join(_text(item) for item in resolved)

    def _split(self, argument: object, where: str) -> object:
        separator, text = _listed(argument, 2, "Fn::Split", where)
        return _text(self.resolve(text, where)).split(str(separator))

    def _select(self, argument: object, where: str) -> object:
        index, items = _listed(argument, 2, "Fn::Select", where)
        resolved = self.resolve(items, where)
        position = int(_text(self.resolve(index, where)))
        if not isinstance(resolved, list) or not 0 <= position < len(resolved):
            raise TemplateError(f"{where}: Fn::Select finds no item {position}")
        return resolved[position]

    def _find_in_map(self, argument: object, where: str) -> object:
        found: object = self._mappings
        for key in _listed(argument, 3, "Fn::FindInMap", where):
            name = _text(self.resolve(key, where))
            if not isinstance(found, dict) or name not in found:
                raise TemplateError(f"{where}: Fn::FindInMap finds no {name}")
            found = found[name]
        return found


def function_name(reference: object) -> str:
    """Return the function's name from a reference to it: its ARN, an alias's ARN, or the name itself."""
    return str(reference).removeprefix(function_arn("")).split(":", 1)[0].split(".", 1)[0]


def _section(document: Mapping[str, object], name: str) -> dict[str, object]:
    section = document.get(name)
    return section if isinstance(section, dict) else {}


def _property(resource: object, name: str) -> object:
    properties = resource.get("Properties") if isinstance(resource, dict) else None
    return properties.get(name) if isinstance(properties, dict) else None


def _listed(argument: object, length: int, name: str, where: str) -> list[object]:
    if not isinstance(argument, list) or len(argument) != length:
        raise TemplateError(f"{where}: {name} takes a list of {length}")
    return argument


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
