"""This module provides the stand-in's server: plugin protocol 6 over a unix socket, one socket a provider.

Usage: PYTHON server.py FACTS_FOLDER SOCKET_FOLDER

When all sockets are open it prints one line of JSON, addresses by provider, and ends with the end of its standard
input: so it never outlives the program that started it. It runs in an environment of its own (ci/stand_in.txt).
"""

# ruff: noqa: N802 - the protocol gives the methods their names

from __future__ import annotations

import json
import shutil
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # it is started by its path, away from the suite's packages

import facts as fact_files
import grpc
import msgpack
import values
from google.protobuf.message import Message
from tf.gen import grpc_controller_pb2, grpc_controller_pb2_grpc, grpc_stdio_pb2_grpc, tfplugin_pb2_grpc
from tf.gen import tfplugin_pb2 as protocol

_NESTING = protocol.Schema.NestedBlock.NestingMode
_OBJECT_NESTING = protocol.Schema.Object.NestingMode
# Field 11 of an attribute, a bool: the protobuf messages of `tf` 1.2.0 are older than write-only arguments.
_WRITE_ONLY = b"\x58\x01"


def schema(block: dict[str, Any]) -> Message:
    """Return the schema message of a type's facts."""
    return protocol.Schema(version=0, block=_block(block))


def _block(block: dict[str, Any]) -> Message:
    attributes = [_attribute(name, flags, kind) for name, (flags, kind) in block.get("attributes", {}).items()]
    blocks = [
        protocol.Schema.NestedBlock(
            type_name=name,
            block=_block(nested["block"]),
            nesting=_NESTING.Value(nested["nesting"].upper()),
            min_items=nested.get("min", 0),
            max_items=nested.get("max", 0),
        )
        for name, nested in block.get("blocks", {}).items()
    ]
    deprecated = block.get("deprecated", False)
    return protocol.Schema.Block(version=0, attributes=attributes, block_types=blocks, deprecated=deprecated)


def _attribute(name: str, flags: str, kind: Any) -> Message:
    words = flags.split()
    message = protocol.Schema.Attribute(name=name, **{word: True for word in words if word != "write_only"})
    if isinstance(kind, dict):
        inner = [_attribute(key, *value) for key, value in kind["attributes"].items()]
        nesting = _OBJECT_NESTING.Value(kind["nesting"].upper())
        message.nested_type.CopyFrom(protocol.Schema.Object(attributes=inner, nesting=nesting))
    else:
        message.type = json.dumps(kind).encode()
    if "write_only" in words:
        message.MergeFromString(_WRITE_ONLY)
    return message


def _decoded(value: Any) -> Any:
    if value.json:
        return json.loads(value.json)
    return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False) if value.msgpack else None


def _encoded(value: Any) -> Message:
    return protocol.DynamicValue(msgpack=msgpack.packb(value, use_bin_type=True))


def _path(steps: list[str | int]) -> Message:
    step = protocol.AttributePath.Step
    return protocol.AttributePath(
        steps=[step(attribute_name=key) if isinstance(key, str) else step(element_key_int=key) for key in steps]
    )


class StandIn(tfplugin_pb2_grpc.ProviderServicer):
    """One provider, spoken for by its facts. The methods' names are the protocol's."""

    def __init__(self, facts: fact_files.Facts) -> None:
        self._facts = facts
        # Terraform asks for it anew in each run, and in each test file.
        self._schema = protocol.GetProviderSchema.Response(
            provider=schema(facts.provider_block),
            resource_schemas={name: schema(block) for name, block in facts.resources.items()},
            data_source_schemas={name: schema(block) for name, block in facts.data_sources.items()},
            server_capabilities=protocol.ServerCapabilities(),
        )

    def GetProviderSchema(self, request: Message, context: Any) -> Message:
        return self._schema

    def ValidateProviderConfig(self, request: Message, context: Any) -> Message:
        return protocol.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Message, context: Any) -> Message:
        found = self._unconfigurable(self._facts.resources[request.type_name], request)
        return protocol.ValidateResourceConfig.Response(diagnostics=found)

    def ValidateDataResourceConfig(self, request: Message, context: Any) -> Message:
        found = self._unconfigurable(self._facts.data_sources[request.type_name], request)
        return protocol.ValidateDataResourceConfig.Response(diagnostics=found)

    def ConfigureProvider(self, request: Message, context: Any) -> Message:
        return protocol.ConfigureProvider.Response()

    def UpgradeResourceState(self, request: Message, context: Any) -> Message:
        state = json.loads(request.raw_state.json)
        return protocol.UpgradeResourceState.Response(upgraded_state=_encoded(state))

    def ReadResource(self, request: Message, context: Any) -> Message:
        return protocol.ReadResource.Response(new_state=request.current_state, private=request.private)

    def PlanResourceChange(self, request: Message, context: Any) -> Message:
        prior, proposed = _decoded(request.prior_state), _decoded(request.proposed_new_state)
        if proposed is None:
            return protocol.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        name = request.type_name
        planned = values.planned(self._facts.resources[name], proposed)
        forced = [] if prior is None else values.replacements(self._facts.force_new.get(name, []), prior, planned)
        return protocol.PlanResourceChange.Response(
            planned_state=_encoded(planned), requires_replace=[_path(steps) for steps in forced]
        )

    def ApplyResourceChange(self, request: Message, context: Any) -> Message:
        planned = _decoded(request.planned_state)
        if planned is None:
            return protocol.ApplyResourceChange.Response(new_state=request.planned_state)
        return protocol.ApplyResourceChange.Response(
            new_state=_encoded(self._answered(request.type_name, self._facts.resources, planned, kind=""))
        )

    def ReadDataSource(self, request: Message, context: Any) -> Message:
        name = request.type_name
        asked = values.planned(self._facts.data_sources[name], _decoded(request.config))
        return protocol.ReadDataSource.Response(
            state=_encoded(self._answered(name, self._facts.data_sources, asked, kind="data."))
        )

    def GetFunctions(self, request: Message, context: Any) -> Message:
        return protocol.GetFunctions.Response()

    def StopProvider(self, request: Message, context: Any) -> Message:
        return protocol.StopProvider.Response()

    def _unconfigurable(self, block: dict[str, Any], request: Any) -> list[Message]:
        said = f"{request.type_name}: only the provider sets this attribute"
        return [
            protocol.Diagnostic(
                severity=protocol.Diagnostic.ERROR,
                summary="Value for unconfigurable attribute",
                detail=said,
                attribute=_path([name]),
            )
            for name in values.unconfigurable(block, _decoded(request.config))
        ]

    def _answered(self, name: str, blocks: dict[str, Any], planned: dict[str, Any], *, kind: str) -> dict[str, Any]:
        return values.applied(blocks[name], planned, name=name, answers=self._facts.answers.get(kind + name))


class _Controller(grpc_controller_pb2_grpc.GRPCControllerServicer):
    """What Terraform's plugin library asks beside the provider; a server that is attached to is not shut down."""

    def Shutdown(self, request: Message, context: Any) -> Message:
        return grpc_controller_pb2.Empty()


class _Output(grpc_stdio_pb2_grpc.GRPCStdioServicer):
    """The stream of what a plugin prints: nothing."""

    def StreamStdio(self, request: Message, context: Any) -> Any:
        return iter(())


def serve(provider: str, *, facts_folder: Path, socket: Path) -> grpc.Server:
    """Start the server of one provider."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    standin = StandIn(fact_files.load(provider, folder=facts_folder))
    tfplugin_pb2_grpc.add_ProviderServicer_to_server(standin, server)
    grpc_controller_pb2_grpc.add_GRPCControllerServicer_to_server(_Controller(), server)
    grpc_stdio_pb2_grpc.add_GRPCStdioServicer_to_server(_Output(), server)
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    return server


def main(arguments: list[str]) -> int:
    """Serve all providers until the standard input ends."""
    facts_folder, sockets = Path(arguments[0]), Path(arguments[1])
    addresses = {provider: sockets / f"{provider}.socket" for provider in fact_files.PROVIDERS}
    servers = [serve(name, facts_folder=facts_folder, socket=socket) for name, socket in addresses.items()]
    print(json.dumps({name: str(socket) for name, socket in addresses.items()}), flush=True)
    sys.stdin.read()
    for server in servers:
        server.stop(grace=None)
    # Whoever started it removes the folder, unless it was killed.
    shutil.rmtree(sockets, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
