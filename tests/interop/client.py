"""The interop cases with Debian's grpcio: client.py DESCRIPTORS ADDRESS.

Each case is what gRPC's doc/interop-test-descriptions.md says under its name.
Nothing is generated: DESCRIPTORS is a FileDescriptorSet of grpc/testing.
"""
import queue
import sys
import threading

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PATIENCE = 60  # a case that hangs is a case that fails
SIZES = [(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)]
INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"

descriptors, address = sys.argv[1:3]
pool = descriptor_pool.DescriptorPool()
with open(descriptors, "rb") as f:
    for file in descriptor_pb2.FileDescriptorSet.FromString(f.read()).file:
        pool.Add(file)
factory = message_factory.MessageFactory(pool)


def message(name):
    return factory.GetPrototype(
        pool.FindMessageTypeByName("grpc.testing." + name))


Empty = message("Empty")
Bool = message("BoolValue")
Payload = message("Payload")
SimpleRequest = message("SimpleRequest")
Input = message("StreamingInputCallRequest")
Output = message("StreamingOutputCallRequest")


class Stub:
    """The methods of a service, as their descriptors say."""

    def __init__(self, channel, service):
        for m in pool.FindServiceByName("grpc.testing." + service).methods:
            client = m.name in ("StreamingInputCall", "FullDuplexCall",
                                "HalfDuplexCall")
            server = m.name in ("StreamingOutputCall", "FullDuplexCall",
                                "HalfDuplexCall")
            kind = "_".join("stream" if s else "unary"
                            for s in (client, server))
            setattr(self, m.name, getattr(channel, kind)(
                f"/grpc.testing.{service}/{m.name}",
                factory.GetPrototype(m.input_type).SerializeToString,
                factory.GetPrototype(m.output_type).FromString))


def connect(**options):
    return grpc.insecure_channel(address, options=[
        ("grpc.use_local_subchannel_pool", 1)], **options)


def check(ok, what):
    if not ok:
        raise AssertionError(what)


def same(seen, wanted, what):
    check(seen == wanted, f"{what}: {seen!r} instead of {wanted!r}")


def fails(call, code):
    try:
        call()
    except grpc.RpcError as e:
        same(e.code(), code, "status")
        return e
    raise AssertionError(f"no failure instead of {code}")


def payload(size):
    return Payload(body=bytes(size))


def large(**fields):
    return SimpleRequest(response_size=314159, payload=payload(271828),
                         **fields)


def is_large(answer):
    same(answer.payload.body, bytes(314159), "payload")


def output(*sizes, request=0, **fields):
    r = Output(payload=payload(request), **fields)
    for size in sizes:
        r.response_parameters.add(size=size)
    return r


def sizes_of(answers):
    return [len(a.payload.body) for a in answers]


class Requests:
    """Requests that are sent one by one; None ends them."""

    def __init__(self):
        self.waiting = queue.Queue()

    def send(self, request):
        self.waiting.put(request)

    def __iter__(self):
        return self

    def __next__(self):
        request = self.waiting.get(timeout=PATIENCE)
        if request is None:
            raise StopIteration
        return request


def empty_unary(stub):
    answer = stub.EmptyCall(Empty(), timeout=PATIENCE)
    same(answer.SerializeToString(), b"", "answer")


def large_unary(stub):
    is_large(stub.UnaryCall(large(), timeout=PATIENCE))


def cacheable_unary(stub):
    answer, call = stub.CacheableUnaryCall.with_call(
        large(), timeout=PATIENCE, metadata=[("x-user-ip", "1.2.3.4")])
    same(dict(call.initial_metadata())["cache-control"],
         "max-age=60, public", "cache-control")
    check(answer.payload.body.isdigit(), "the time")


def client_compressed_unary(stub):
    gzip, none = grpc.Compression.Gzip, grpc.Compression.NoCompression
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    for expected, sent, code in [(True, none, invalid), (True, gzip, None),
                                 (False, none, None), (False, gzip, invalid)]:
        request = large(expect_compressed=Bool(value=expected))
        ask = lambda: stub.UnaryCall(request, compression=sent,
                                     timeout=PATIENCE)
        if code:
            fails(ask, code)
        else:
            is_large(ask())


def server_compressed_unary(stub):
    for wanted in True, False:
        is_large(stub.UnaryCall(
            large(response_compressed=Bool(value=wanted)), timeout=PATIENCE))


def client_streaming(stub):
    answer = stub.StreamingInputCall(
        (Input(payload=payload(size)) for size, _ in SIZES), timeout=PATIENCE)
    same(answer.aggregated_payload_size, 74922, "sum")


def client_compressed_streaming(stub):
    request = Input(payload=payload(27182), expect_compressed=Bool(value=True))
    fails(lambda: stub.StreamingInputCall(iter([request]), timeout=PATIENCE),
          grpc.StatusCode.INVALID_ARGUMENT)
    answer = stub.StreamingInputCall(
        iter([request, request]), timeout=PATIENCE,
        compression=grpc.Compression.Gzip)
    same(answer.aggregated_payload_size, 2 * 27182, "sum")


def server_streaming(stub):
    wanted = [size for _, size in SIZES]
    same(sizes_of(stub.StreamingOutputCall(output(*wanted), timeout=PATIENCE)),
         wanted, "answers")


def server_compressed_streaming(stub):
    request = output(31415, 92653)
    for i, wanted in enumerate((True, False)):
        request.response_parameters[i].compressed.value = wanted
    same(sizes_of(stub.StreamingOutputCall(request, timeout=PATIENCE)),
         [31415, 92653], "answers")


def ping_pong(stub):
    requests = Requests()
    answers = stub.FullDuplexCall(requests, timeout=PATIENCE)
    for request, size in SIZES:
        requests.send(output(size, request=request))
        same(len(next(answers).payload.body), size, "answer")
    requests.send(None)
    same(list(answers), [], "more answers")


def half_duplex(stub):
    wanted = [size for _, size in SIZES]
    answers = stub.HalfDuplexCall((output(size) for size in wanted),
                                  timeout=PATIENCE)
    same(sizes_of(answers), wanted, "answers")


def empty_stream(stub):
    same(list(stub.FullDuplexCall(iter(()), timeout=PATIENCE)), [], "answers")


def cancel_after_begin(stub):
    requests = Requests()
    call = stub.StreamingInputCall.future(requests, timeout=PATIENCE)
    call.cancel()
    requests.send(None)
    check(call.cancelled(), "not cancelled")
    same(call.code(), grpc.StatusCode.CANCELLED, "status")


def cancel_after_first_response(stub):
    requests = Requests()
    answers = stub.FullDuplexCall(requests, timeout=PATIENCE)
    requests.send(output(31415, request=27182))
    same(len(next(answers).payload.body), 31415, "answer")
    answers.cancel()
    fails(lambda: next(answers), grpc.StatusCode.CANCELLED)
    requests.send(None)


def timeout_on_sleeping_server(stub):
    request = output(31415, request=27182)
    request.response_parameters[0].interval_us = 10**9
    requests = Requests()
    requests.send(request)
    answers = stub.FullDuplexCall(requests, timeout=0.05)
    fails(lambda: next(answers), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.send(None)


def custom_metadata(stub):
    metadata = [(INITIAL, "test_initial_metadata_value"),
                (TRAILING, b"\xab\xab\xab")]
    _, unary = stub.UnaryCall.with_call(large(), metadata=metadata,
                                        timeout=PATIENCE)
    stream = stub.FullDuplexCall(iter([output(314159, request=271828)]),
                                 metadata=metadata, timeout=PATIENCE)
    same(sizes_of(stream), [314159], "answers")
    for call in unary, stream:
        same(dict(call.initial_metadata()).get(INITIAL), metadata[0][1],
             "initial metadata")
        same(dict(call.trailing_metadata()).get(TRAILING), metadata[1][1],
             "trailing metadata")


def echo_status(stub, code, text):
    status = message("EchoStatus")(code=code.value[0], message=text)
    for ask in (lambda: stub.UnaryCall(SimpleRequest(response_status=status),
                                       timeout=PATIENCE),
                lambda: list(stub.FullDuplexCall(
                    iter([Output(response_status=status)]),
                    timeout=PATIENCE))):
        same(fails(ask, code).details(), text, "message")


def status_code_and_message(stub):
    for code in grpc.StatusCode:
        if code is not grpc.StatusCode.OK:
            echo_status(stub, code, "test status message")


def special_status_message(stub):
    echo_status(stub, grpc.StatusCode.UNKNOWN,
                "\t\ntest with whitespace\r\nand Unicode BMP \u263a and "
                "non-BMP \U0001f608\t\n")


def unimplemented_method(stub):
    fails(lambda: stub.UnimplementedCall(Empty(), timeout=PATIENCE),
          grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(stub):
    del stub
    with connect() as channel:
        other = Stub(channel, "UnimplementedService")
        fails(lambda: other.UnimplementedCall(Empty(), timeout=PATIENCE),
              grpc.StatusCode.UNIMPLEMENTED)


def a_failure_has_details(stub):
    """Beside the descriptions: what our own statuses say to programs."""
    error = fails(lambda: stub.UnaryCall(SimpleRequest(response_size=-1),
                                         timeout=PATIENCE),
                  grpc.StatusCode.INVALID_ARGUMENT)
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    for part in (b"type.googleapis.com/google.rpc.ErrorInfo",
                 b"INVALID_ARGUMENT", b"executor"):
        check(part in details, f"{part} is not in {details}")


def rpc_soak(stub):
    for _ in range(50):
        large_unary(stub)


def channel_soak(stub):
    del stub
    for _ in range(20):
        with connect() as channel:
            large_unary(Stub(channel, "TestService"))


def concurrent_calls(stub):
    errors = []

    def work():
        try:
            for _ in range(3):
                large_unary(stub)
                ping_pong(stub)
        except Exception as e:  # told by the one who waits
            errors.append(e)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(errors, [], "errors")


CASES = [empty_unary, large_unary, cacheable_unary, client_compressed_unary,
         server_compressed_unary, client_streaming,
         client_compressed_streaming, server_streaming,
         server_compressed_streaming, ping_pong, half_duplex, empty_stream,
         cancel_after_begin, cancel_after_first_response,
         timeout_on_sleeping_server, custom_metadata, status_code_and_message,
         special_status_message, unimplemented_method, unimplemented_service,
         a_failure_has_details, rpc_soak, channel_soak, concurrent_calls]


def main():
    good = True
    wanted = sys.argv[3:]
    with connect() as channel:
        stub = Stub(channel, "TestService")
        for case in CASES:
            if wanted and case.__name__ not in wanted:
                continue
            try:
                case(stub)
                print("ok", case.__name__, flush=True)
            except Exception as e:  # any kind of failure is one
                good = False
                print("FAILED", case.__name__, repr(e), flush=True)
    sys.exit(0 if good else 1)


main()
