#include "adapter/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/cli/rpc.h"
#include "election/datadir.h"

static int exit_status(const struct err *e)
{
	if (e->reason == ERR_NOT_RUNNING)
		return CLI_NOT_RUNNING;
	switch (err_grpc(e->reason)) {
	case GRPC_INVALID_ARGUMENT:
		return CLI_USAGE;
	case GRPC_NOT_FOUND:
		return CLI_NOT_FOUND;
	case GRPC_PERMISSION_DENIED:
	case GRPC_UNAUTHENTICATED:
		return CLI_DENIED;
	case GRPC_DEADLINE_EXCEEDED:
		return CLI_TIMEOUT;
	case GRPC_OK:
	case GRPC_CANCELLED:
	case GRPC_UNKNOWN:
	case GRPC_ALREADY_EXISTS:
	case GRPC_RESOURCE_EXHAUSTED:
	case GRPC_FAILED_PRECONDITION:
	case GRPC_ABORTED:
	case GRPC_OUT_OF_RANGE:
	case GRPC_UNIMPLEMENTED:
	case GRPC_INTERNAL:
	case GRPC_UNAVAILABLE:
	case GRPC_DATA_LOSS:
		return CLI_FAILURE;
	}
	return CLI_FAILURE;
}

int cli_fail(const struct err *e)
{
	char *text = cli_plain(e->text, strlen(e->text));

	fprintf(stderr, "executor: error: %s\n", text);
	free(text);
	return exit_status(e);
}

bool cli_data_dir(struct cli *c, bool create, struct err *e)
{
	struct election_error why;

	if (c->data_dir)
		return true;
	c->data_dir = datadir_resolve(c->data_dir_option, create, &why);
	return c->data_dir || err_set(e, err_by_name(why.code), "%s", why.why);
}

bool cli_attach(struct cli *c, bool start, struct err *e)
{
	if (c->rpc)
		return true;
	start = start && !c->no_start;
	if (!start && !cli_data_dir(c, false, NULL))
		return err_set(e, ERR_NOT_RUNNING,
			       "no daemon is running: there is no data "
			       "directory");
	if (!cli_data_dir(c, start, e))
		return false;
	const struct rpc_options options = {
		.data_dir = c->data_dir,
		.may_start = start,
		.timeout_ms = c->timeout_ms,
	};
	c->rpc = rpc_open(&options, e);
	return c->rpc != NULL;
}

void *cli_admin(struct cli *c, bool start, const char *method,
		const ProtobufCMessage *request,
		const ProtobufCMessageDescriptor *reply, struct err *e)
{
	char path[128];

	if (!cli_attach(c, start, e))
		return NULL;
	snprintf(path, sizeof(path), "/executor.admin.v1.AdminService/%s",
		 method);
	return rpc_call(c->rpc, path, request, reply, e);
}

bool cli_admin_stream(struct cli *c, bool start, const char *method,
		      const ProtobufCMessage *request,
		      const ProtobufCMessageDescriptor *reply,
		      bool (*message)(void *owner, const void *reply),
		      void *owner, struct err *e)
{
	char path[128];

	if (!cli_attach(c, start, e))
		return false;
	snprintf(path, sizeof(path), "/executor.admin.v1.AdminService/%s",
		 method);
	return rpc_stream(c->rpc, path, request, reply, message, owner, e);
}

const admin_status_t *cli_get_status(struct cli *c, bool start, struct err *e)
{
	Executor__Admin__V1__GetStatusRequest request =
		EXECUTOR__ADMIN__V1__GET_STATUS_REQUEST__INIT;

	return cli_admin(c, start, "GetStatus", &request.base,
			 &executor__admin__v1__get_status_response__descriptor,
			 e);
}
