// peer_grpcpp: what grpc++ itself makes of the calls of grpc_load, with its
// callback interface.  Prints the port that it listens on, and serves until
// stdin ends.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include "grpc/testing/test.grpc.pb.h"

namespace {

using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;

// An answer to each request, one at a time; the end when the client ends.
class Duplex final
    : public grpc::ServerBidiReactor<StreamingOutputCallRequest,
				     StreamingOutputCallResponse> {
    public:
	Duplex() { StartRead(&request_); }

	void OnReadDone(bool ok) override
	{
		if (!ok) {
			Finish(grpc::Status::OK);
			return;
		}
		response_.mutable_payload()->set_body(std::string(
		    static_cast<size_t>(
			request_.response_parameters(0).size()),
		    '\0'));
		StartWrite(&response_);
	}

	void OnWriteDone(bool ok) override
	{
		if (ok)
			StartRead(&request_);
		else
			Finish(grpc::Status::CANCELLED);
	}

	void OnDone() override { delete this; }

    private:
	StreamingOutputCallRequest request_;
	StreamingOutputCallResponse response_;
};

class Service final : public grpc::testing::TestService::CallbackService {
	grpc::ServerUnaryReactor *UnaryCall(grpc::CallbackServerContext *context,
					    const SimpleRequest *request,
					    SimpleResponse *response) override
	{
		response->mutable_payload()->set_body(std::string(
		    static_cast<size_t>(request->response_size()), '\0'));
		grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
		reactor->Finish(grpc::Status::OK);
		return reactor;
	}

	grpc::ServerBidiReactor<StreamingOutputCallRequest,
				StreamingOutputCallResponse> *
	FullDuplexCall(grpc::CallbackServerContext *) override
	{
		return new Duplex;
	}
};

} // namespace

int main()
{
	Service service;
	int port = 0;
	grpc::ServerBuilder builder;

	builder.AddListeningPort("127.0.0.1:0",
				 grpc::InsecureServerCredentials(), &port);
	builder.RegisterService(&service);
	std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
	if (!server) {
		std::fputs("peer_grpcpp: cannot listen\n", stderr);
		return 1;
	}
	std::printf("127.0.0.1:%d\n", port);
	std::fflush(stdout);
	char byte;
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	server->Shutdown();
	return 0;
}
