"""Calls tools until the daemon is gone, with python3-grpcio.

usage: calls.py SOCKET TOOL THREADS

Prints a line "STATUS COUNT" for each status that a call ended with; READY on
standard error once every thread has had an answer."""
import collections
import json
import sys
import threading

import grpc

socket, tool, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
statuses = collections.Counter()
answered = threading.Barrier(threads + 1, timeout=60)
lock = threading.Lock()


def request(number):
    body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call",
                       "params": {"name": tool, "arguments": {"message": str(number)}}}).encode()
    # CallRequest.json is field 1; a length below 128 * 128.
    return b"\x0a" + bytes([len(body) % 128 + 128, len(body) // 128]) + body


def run(first):
    # A channel each, so that there is a connection each.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        call = channel.unary_unary("/executor.mcp.v1.McpService/Call")
        for number in range(first, first + 100000):
            try:
                answer = call(request(number), timeout=60)
                status = "OK" if str(number).encode() in answer else "WRONG"
            except grpc.RpcError as error:
                status = error.code().name
            with lock:
                statuses[status] += 1
            if number == first:
                answered.wait()
            if status != "OK":
                return


workers = [threading.Thread(target=run, args=(i * 100000,)) for i in range(threads)]
for worker in workers:
    worker.start()
answered.wait()
print("READY", file=sys.stderr, flush=True)
for worker in workers:
    worker.join()
for status, count in sorted(statuses.items()):
    print(status, count)
