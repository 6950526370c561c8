"""A client that knows nothing but server reflection: asks for a method's file,
builds its messages at run time, and calls it.

reflect.py SOCKET v1|v1alpha STUBS METHOD REQUEST: STUBS has reflection_pb2 of
that version; METHOD is package.Service/Method, REQUEST its
request as JSON.  Prints the services, a line each, then the response as JSON.
"""
import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

socket, version, stubs, method, request = sys.argv[1:]
sys.path.insert(0, stubs)
import reflection_pb2 as pb  # not grpc.reflection...: grpc is grpcio's

channel = grpc.insecure_channel(f"unix:{socket}")
service = f"grpc.reflection.{version}.ServerReflection"
info = channel.stream_stream(
    f"/{service}/ServerReflectionInfo",
    request_serializer=pb.ServerReflectionRequest.SerializeToString,
    response_deserializer=pb.ServerReflectionResponse.FromString)


def ask(*requests):
    """One stream; all questions before the first answer is read."""
    answers = list(info(iter(requests), timeout=60))
    assert len(answers) == len(requests), answers
    for asked, answer in zip(requests, answers):
        assert answer.original_request == asked, (asked, answer)
    return answers


Request = pb.ServerReflectionRequest
listed, found, strange, again = ask(
    Request(host="here", list_services=""),
    Request(file_containing_symbol=method.replace("/", ".")),
    Request(file_containing_symbol="no.such.Thing"),
    Request(file_by_filename="grpc/health/v1/health.proto"))
for row in listed.list_services_response.service:
    print(row.name)
assert listed.valid_host == "here", listed
assert strange.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0], strange
assert again.file_descriptor_response.file_descriptor_proto, again

pool = descriptor_pool.DescriptorPool()
for file in reversed(found.file_descriptor_response.file_descriptor_proto):
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(file))
name, method_name = method.split("/")
row = pool.FindServiceByName(name).FindMethodByName(method_name)
factory = message_factory.MessageFactory(pool)
In, Out = (factory.GetPrototype(t) for t in (row.input_type, row.output_type))
call = channel.unary_unary(f"/{method}", request_serializer=In.SerializeToString,
                           response_deserializer=Out.FromString)
answer = call(json_format.ParseDict(json.loads(request), In()), timeout=60)
print(json.dumps(json_format.MessageToDict(answer)))
channel.close()
