// The interop cases with Debian's grpc++: client ADDRESS [CASE...]
//
// Each case is what gRPC's doc/interop-test-descriptions.md says under its
// name; those that need a cloud's credentials are not there.
#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "grpc/testing/test.grpc.pb.h"

// What libgrpc has for its own interop client: the flags of the last message.
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);

namespace {

using namespace grpc::testing;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;

// A case that hangs is a case that fails.
constexpr std::chrono::seconds patience(60);
constexpr uint32_t compressed_flag = 0x40000000u; // "was compressed"

std::string address;

void check(bool ok, const std::string &what)
{
	if (!ok)
		throw std::runtime_error(what);
}

void same(long long seen, long long wanted, const std::string &what)
{
	check(seen == wanted, what + ": " + std::to_string(seen) +
				      " instead of " + std::to_string(wanted));
}

void status(const Status &s, StatusCode wanted)
{
	check(s.error_code() == wanted,
	      "status " + std::to_string(s.error_code()) + " \"" +
		      s.error_message() + "\" instead of " +
		      std::to_string(wanted));
}

std::shared_ptr<grpc::Channel> channel()
{
	static int number;
	grpc::ChannelArguments arguments;

	// Otherwise channels to one address share their connection.
	arguments.SetInt("executor.number", number++);
	return grpc::CreateCustomChannel(
		address, grpc::InsecureChannelCredentials(), arguments);
}

struct Call {
	std::unique_ptr<TestService::Stub> stub;
	ClientContext context;

	explicit Call(std::shared_ptr<grpc::Channel> c = channel())
		: stub(TestService::NewStub(c))
	{
		context.set_deadline(std::chrono::system_clock::now() +
				     patience);
	}
	bool compressed()
	{
		return grpc_call_test_only_get_message_flags(
			       context.c_call()) &
		       compressed_flag;
	}
	void compress() { context.set_compression_algorithm(GRPC_COMPRESS_GZIP); }
	bool has(const std::multimap<grpc::string_ref, grpc::string_ref> &m,
		 const std::string &name, const std::string &value)
	{
		auto found = m.find(name);

		return found != m.end() &&
		       std::string(found->second.data(),
				   found->second.size()) == value;
	}
};

SimpleRequest large()
{
	SimpleRequest r;

	r.set_response_size(314159);
	r.mutable_payload()->set_body(std::string(271828, '\0'));
	return r;
}

void zeroes(const Payload &p, size_t len)
{
	check(p.body() == std::string(len, '\0'),
	      std::to_string(p.body().size()) + " bytes of payload, or not all "
						"of them zero");
}

StreamingOutputCallRequest output(std::vector<int> sizes, size_t payload = 0)
{
	StreamingOutputCallRequest r;

	for (int size : sizes)
		r.add_response_parameters()->set_size(size);
	if (payload > 0)
		r.mutable_payload()->set_body(std::string(payload, '\0'));
	return r;
}

StreamingInputCallRequest input(size_t payload)
{
	StreamingInputCallRequest r;

	r.mutable_payload()->set_body(std::string(payload, '\0'));
	return r;
}

const std::vector<int> answer_sizes = {31415, 9, 2653, 58979};
const std::vector<size_t> request_sizes = {27182, 8, 1828, 45904};

// --- one request, one answer ------------------------------------------------

void empty_unary()
{
	Call c;
	Empty answer;

	status(c.stub->EmptyCall(&c.context, Empty(), &answer), StatusCode::OK);
	same(answer.ByteSizeLong(), 0, "bytes of an empty answer");
}

void large_unary_over(std::shared_ptr<grpc::Channel> over)
{
	Call c(over);
	SimpleResponse answer;

	status(c.stub->UnaryCall(&c.context, large(), &answer),
	       StatusCode::OK);
	zeroes(answer.payload(), 314159);
}

void large_unary()
{
	large_unary_over(channel());
}

void cacheable_unary()
{
	std::string seen[2];

	for (std::string &body : seen) {
		Call c;
		SimpleResponse answer;

		c.context.AddMetadata("x-user-ip", "1.2.3.4");
		status(c.stub->CacheableUnaryCall(&c.context, large(), &answer),
		       StatusCode::OK);
		check(c.has(c.context.GetServerInitialMetadata(),
			    "cache-control", "max-age=60, public"),
		      "no cache-control");
		body = answer.payload().body();
	}
	// No proxy stands between that could have kept the first.
	check(seen[0] != seen[1] && !seen[0].empty(), "the same time twice");
}

void client_compressed_unary()
{
	struct {
		bool expected, sent;
		StatusCode wanted;
	} rows[] = {{true, false, StatusCode::INVALID_ARGUMENT},
		    {true, true, StatusCode::OK},
		    {false, false, StatusCode::OK},
		    {false, true, StatusCode::INVALID_ARGUMENT}};

	for (auto &row : rows) {
		Call c;
		SimpleRequest r = large();
		SimpleResponse answer;

		if (row.sent)
			c.compress();
		r.mutable_expect_compressed()->set_value(row.expected);
		status(c.stub->UnaryCall(&c.context, r, &answer), row.wanted);
		if (row.wanted == StatusCode::OK)
			zeroes(answer.payload(), 314159);
	}
}

void server_compressed_unary()
{
	for (bool wanted : {true, false}) {
		Call c;
		SimpleRequest r = large();
		SimpleResponse answer;

		r.mutable_response_compressed()->set_value(wanted);
		status(c.stub->UnaryCall(&c.context, r, &answer),
		       StatusCode::OK);
		same(c.compressed(), wanted, "the compressed flag");
		zeroes(answer.payload(), 314159);
	}
}

// --- streams of the client --------------------------------------------------

void client_streaming()
{
	Call c;
	StreamingInputCallResponse answer;
	auto stream = c.stub->StreamingInputCall(&c.context, &answer);

	for (size_t size : request_sizes)
		check(stream->Write(input(size)), "write");
	stream->WritesDone();
	status(stream->Finish(), StatusCode::OK);
	same(answer.aggregated_payload_size(), 74922, "aggregated size");
}

void client_compressed_streaming()
{
	StreamingInputCallRequest first = input(27182), second = input(45904);

	first.mutable_expect_compressed()->set_value(true);
	second.mutable_expect_compressed()->set_value(false);
	for (bool probe : {true, false}) {
		Call c;
		StreamingInputCallResponse answer;

		if (!probe)
			c.compress();
		auto stream = c.stub->StreamingInputCall(&c.context, &answer);
		stream->Write(first);
		if (!probe)
			stream->Write(second,
				      grpc::WriteOptions().set_no_compression());
		stream->WritesDone();
		status(stream->Finish(), probe ? StatusCode::INVALID_ARGUMENT
					       : StatusCode::OK);
		if (!probe)
			same(answer.aggregated_payload_size(), 73086, "sum");
	}
}

// --- streams of the server --------------------------------------------------

void read_all(grpc::ClientReaderInterface<StreamingOutputCallResponse> *stream,
	      const std::vector<int> &sizes)
{
	StreamingOutputCallResponse answer;
	size_t count = 0;

	for (; stream->Read(&answer); count++) {
		check(count < sizes.size(), "too many answers");
		zeroes(answer.payload(), sizes[count]);
	}
	same(count, sizes.size(), "answers");
	status(stream->Finish(), StatusCode::OK);
}

void server_streaming()
{
	Call c;
	auto stream =
		c.stub->StreamingOutputCall(&c.context, output(answer_sizes));

	read_all(stream.get(), answer_sizes);
}

void server_compressed_streaming()
{
	Call c;
	StreamingOutputCallRequest r = output({31415, 92653});
	StreamingOutputCallResponse answer;

	r.mutable_response_parameters(0)->mutable_compressed()->set_value(true);
	r.mutable_response_parameters(1)->mutable_compressed()->set_value(
		false);
	auto stream = c.stub->StreamingOutputCall(&c.context, r);
	check(stream->Read(&answer), "the first answer");
	check(c.compressed(), "the first came uncompressed");
	zeroes(answer.payload(), 31415);
	check(stream->Read(&answer), "the second answer");
	check(!c.compressed(), "the second came compressed");
	zeroes(answer.payload(), 92653);
	check(!stream->Read(&answer), "a third answer");
	status(stream->Finish(), StatusCode::OK);
}

// The answers are far more than all windows and queues: the server waits.
void slow_consumer()
{
	Call c;
	const std::vector<int> sizes(2000, 1030);
	auto stream = c.stub->StreamingOutputCall(&c.context, output(sizes));

	std::this_thread::sleep_for(std::chrono::milliseconds(300));
	read_all(stream.get(), sizes);
}

// --- both -------------------------------------------------------------------

void ping_pong_over(std::shared_ptr<grpc::Channel> over)
{
	Call c(over);
	auto stream = c.stub->FullDuplexCall(&c.context);
	StreamingOutputCallResponse answer;

	for (size_t i = 0; i < answer_sizes.size(); i++) {
		check(stream->Write(
			      output({answer_sizes[i]}, request_sizes[i])),
		      "write");
		check(stream->Read(&answer), "read");
		zeroes(answer.payload(), answer_sizes[i]);
	}
	stream->WritesDone();
	check(!stream->Read(&answer), "one answer too many");
	status(stream->Finish(), StatusCode::OK);
}

void ping_pong()
{
	ping_pong_over(channel());
}

void half_duplex()
{
	Call c;
	auto stream = c.stub->HalfDuplexCall(&c.context);
	StreamingOutputCallResponse answer;

	for (int size : answer_sizes)
		check(stream->Write(output({size})), "write");
	stream->WritesDone();
	for (int size : answer_sizes) {
		check(stream->Read(&answer), "read");
		zeroes(answer.payload(), size);
	}
	check(!stream->Read(&answer), "one answer too many");
	status(stream->Finish(), StatusCode::OK);
}

void empty_stream()
{
	Call c;
	auto stream = c.stub->FullDuplexCall(&c.context);
	StreamingOutputCallResponse answer;

	stream->WritesDone();
	check(!stream->Read(&answer), "an answer to nothing");
	status(stream->Finish(), StatusCode::OK);
}

// --- how a call ends --------------------------------------------------------

void cancel_after_begin()
{
	Call c;
	StreamingInputCallResponse answer;
	auto stream = c.stub->StreamingInputCall(&c.context, &answer);

	c.context.TryCancel();
	status(stream->Finish(), StatusCode::CANCELLED);
}

void cancel_after_first_response()
{
	Call c;
	auto stream = c.stub->FullDuplexCall(&c.context);
	StreamingOutputCallResponse answer;

	stream->Write(output({31415}, 27182));
	check(stream->Read(&answer), "read");
	c.context.TryCancel();
	status(stream->Finish(), StatusCode::CANCELLED);
}

void timeout_on_sleeping_server()
{
	Call c;

	c.context.set_deadline(std::chrono::system_clock::now() +
			       std::chrono::milliseconds(1));
	auto stream = c.stub->FullDuplexCall(&c.context);
	stream->Write(output({}, 27182));
	status(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

void custom_metadata()
{
	const std::string initial = "x-grpc-test-echo-initial";
	const std::string trailing = "x-grpc-test-echo-trailing-bin";
	const std::string value = "test_initial_metadata_value";
	const std::string bytes = "\xab\xab\xab";

	for (bool unary : {true, false}) {
		Call c;
		SimpleResponse answer;
		StreamingOutputCallResponse streamed;

		c.context.AddMetadata(initial, value);
		c.context.AddMetadata(trailing, bytes);
		if (unary) {
			status(c.stub->UnaryCall(&c.context, large(), &answer),
			       StatusCode::OK);
		} else {
			auto stream = c.stub->FullDuplexCall(&c.context);
			stream->Write(output({314159}, 271828));
			stream->WritesDone();
			check(stream->Read(&streamed), "read");
			check(!stream->Read(&streamed), "too many answers");
			status(stream->Finish(), StatusCode::OK);
		}
		check(c.has(c.context.GetServerInitialMetadata(), initial,
			    value),
		      "initial metadata");
		check(c.has(c.context.GetServerTrailingMetadata(), trailing,
			    bytes),
		      "trailing metadata");
	}
}

void echo_status(int code, const std::string &message)
{
	SimpleRequest r;
	StreamingOutputCallRequest s;
	SimpleResponse answer;
	Call one, two;

	r.mutable_response_status()->set_code(code);
	r.mutable_response_status()->set_message(message);
	*s.mutable_response_status() = r.response_status();
	Status seen = one.stub->UnaryCall(&one.context, r, &answer);
	same(seen.error_code(), code, "status of the unary call");
	check(seen.error_message() == message, seen.error_message());

	auto stream = two.stub->FullDuplexCall(&two.context);
	stream->Write(s);
	stream->WritesDone();
	seen = stream->Finish();
	same(seen.error_code(), code, "status of the stream");
	check(seen.error_message() == message, seen.error_message());
}

void status_code_and_message()
{
	for (int code = 1; code <= 16; code++)
		echo_status(code, "test status message");
}

void special_status_message()
{
	echo_status(2, "\t\ntest with whitespace\r\nand Unicode BMP \u263A and "
		       "non-BMP \U0001F608\t\n");
}

void unimplemented_method()
{
	Call c;
	Empty answer;

	status(c.stub->UnimplementedCall(&c.context, Empty(), &answer),
	       StatusCode::UNIMPLEMENTED);
}

void unimplemented_service()
{
	Call c;
	Empty answer;
	auto stub = UnimplementedService::NewStub(channel());

	status(stub->UnimplementedCall(&c.context, Empty(), &answer),
	       StatusCode::UNIMPLEMENTED);
}

// --- many -------------------------------------------------------------------

void rpc_soak()
{
	auto over = channel();

	for (int i = 0; i < 100; i++)
		large_unary_over(over);
}

void channel_soak()
{
	for (int i = 0; i < 30; i++)
		large_unary_over(channel());
}

void long_lived_channel()
{
	auto over = channel();

	for (int i = 0; i < 3; i++) {
		large_unary_over(over);
		std::this_thread::sleep_for(std::chrono::milliseconds(200));
	}
}

// One connection, many calls at a time, of all kinds.
void concurrent_calls()
{
	auto over = channel();
	std::vector<std::thread> threads;
	std::vector<std::string> errors(16);

	for (std::string &error : errors)
		threads.emplace_back([&error, over] {
			try {
				for (int i = 0; i < 5; i++) {
					large_unary_over(over);
					ping_pong_over(over);
				}
			} catch (const std::exception &e) {
				error = e.what();
			}
		});
	for (std::thread &t : threads)
		t.join();
	for (const std::string &error : errors)
		check(error.empty(), error);
}

struct Case {
	const char *name;
	void (*run)();
};

#define CASE(name) {#name, name}
const Case cases[] = {
	CASE(empty_unary),
	CASE(large_unary),
	CASE(cacheable_unary),
	CASE(client_compressed_unary),
	CASE(server_compressed_unary),
	CASE(client_streaming),
	CASE(client_compressed_streaming),
	CASE(server_streaming),
	CASE(server_compressed_streaming),
	CASE(slow_consumer),
	CASE(ping_pong),
	CASE(half_duplex),
	CASE(empty_stream),
	CASE(cancel_after_begin),
	CASE(cancel_after_first_response),
	CASE(timeout_on_sleeping_server),
	CASE(custom_metadata),
	CASE(status_code_and_message),
	CASE(special_status_message),
	CASE(unimplemented_method),
	CASE(unimplemented_service),
	CASE(rpc_soak),
	CASE(channel_soak),
	CASE(long_lived_channel),
	CASE(concurrent_calls),
};

bool run(const Case &c)
{
	try {
		c.run();
	} catch (const std::exception &e) {
		std::cout << "FAILED " << c.name << ": " << e.what()
			  << std::endl;
		return false;
	}
	std::cout << "ok " << c.name << std::endl;
	return true;
}

} // namespace

int main(int argc, char **argv)
{
	const std::set<std::string> wanted(argv + (argc < 2 ? argc : 2),
					   argv + argc);
	size_t count = 0;
	bool good = true;

	if (argc < 2) {
		std::cerr << "usage: client ADDRESS [CASE...]" << std::endl;
		return 2;
	}
	address = argv[1];
	for (const Case &c : cases) {
		if (!wanted.empty() && wanted.count(c.name) == 0)
			continue;
		count++;
		good = run(c) && good;
	}
	return good && count > 0 ? 0 : 1;
}
