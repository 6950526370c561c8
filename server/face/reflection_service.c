#include "server/face/reflection_service.h"

#include <stdlib.h>

#include "grpc/reflection/v1/reflection.pb-c.h"
#include "proto/err.h"
#include "proto/list.h"
#include "proto/mem.h"
#include "proto/protobuf.h"
#include "server/face/call.h"
#include "server/face/descriptors.h"
#include "server/face/service.h"

/* The two versions differ in the package alone: their bytes are the same. */
typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

enum { REQUEST_BYTES = 4096 };

struct reflection {
	const struct services *services;
	struct list streams;
	struct arena arena;
};

/* Owned by its call; in the list of reflection. */
struct stream {
	struct reflection *all;
	struct list link;
	struct call *call;
};

/* --- answers -------------------------------------------------------------- */

/* A response and the parts that it points to. */
struct answer {
	Response to;
	struct err why;
	Grpc__Reflection__V1__ErrorResponse error;
	Grpc__Reflection__V1__FileDescriptorResponse files;
	Grpc__Reflection__V1__ExtensionNumberResponse extensions;
	Grpc__Reflection__V1__ListServiceResponse services;
	Grpc__Reflection__V1__ServiceResponse rows[SERVICES_MAX];
	Grpc__Reflection__V1__ServiceResponse *list[SERVICES_MAX];
	ProtobufCBinaryData bytes[DESCRIPTORS_FILES_MAX];
};

static void refuse(struct answer *a)
{
	grpc__reflection__v1__error_response__init(&a->error);
	a->error.error_code = (int32_t)err_grpc(a->why.reason);
	a->error.error_message = a->why.text;
	a->to.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	a->to.error_response = &a->error;
}

static void give_nothing(struct answer *a, const char *what, const char *name)
{
	err_set(&a->why, ERR_NOT_FOUND, "no such %s: %.128s", what, name);
	refuse(a);
}

/* The file and what it imports; .ptr NULL: there is none for name. */
static void give_file(struct answer *a, struct slice file, const char *what,
		      const char *name)
{
	struct slice files[DESCRIPTORS_FILES_MAX];

	if (!file.ptr) {
		give_nothing(a, what, name);
		return;
	}
	grpc__reflection__v1__file_descriptor_response__init(&a->files);
	a->files.file_descriptor_proto = a->bytes;
	a->files.n_file_descriptor_proto =
		descriptors_closure(descriptors_own(), file, files);
	for (size_t i = 0; i < a->files.n_file_descriptor_proto; i++)
		a->bytes[i] = protobuf_bytes(files[i]);
	a->to.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	a->to.file_descriptor_response = &a->files;
}

/* The contract has messages, and no extensions of them. */
static void give_extensions(struct answer *a, char *type)
{
	if (!descriptors_of_message(descriptors_own(), slice_of(type)).ptr) {
		give_nothing(a, "message", type);
		return;
	}
	grpc__reflection__v1__extension_number_response__init(&a->extensions);
	a->extensions.base_type_name = type;
	a->to.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
	a->to.all_extension_numbers_response = &a->extensions;
}

static void give_services(struct answer *a, const struct services *services)
{
	grpc__reflection__v1__list_service_response__init(&a->services);
	a->services.service = a->list;
	a->services.n_service = services->count;
	for (size_t i = 0; i < services->count; i++) {
		grpc__reflection__v1__service_response__init(&a->rows[i]);
		a->rows[i].name = (char *)(uintptr_t)services->list[i].name;
		a->list[i] = &a->rows[i];
	}
	a->to.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	a->to.list_services_response = &a->services;
}

/* Borrows *asked. */
static void fill(struct answer *a, const struct reflection *r, Request *asked)
{
	const struct slice set = descriptors_own();
	const char *name;

	grpc__reflection__v1__server_reflection_response__init(&a->to);
	a->to.valid_host = asked->host;
	a->to.original_request = asked;
	switch (asked->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		name = asked->file_by_filename;
		give_file(a, descriptors_file(set, slice_of(name)), "file",
			  name);
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		name = asked->file_containing_symbol;
		give_file(a, descriptors_defining(set, slice_of(name)),
			  "symbol", name);
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
		give_nothing(a, "extension of",
			     asked->file_containing_extension->containing_type);
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
		give_extensions(a, asked->all_extension_numbers_of_type);
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		give_services(a, r->services);
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__NOT_SET:
	case _GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__CASE_IS_INT_SIZE:
		break;
	}
	/* Perhaps one of a newer client. */
	err_set(&a->why, ERR_UNIMPLEMENTED,
		"no such kind of reflection request");
	refuse(a);
}

/* --- events --------------------------------------------------------------- */

static void forget(struct stream *s)
{
	list_remove(&s->link);
	free(s);
}

static void fail(struct stream *s, const struct err *why)
{
	struct call *c = s->call;

	forget(s);
	call_fail(c, why);
}

static void on_message(void *owner, struct slice message)
{
	struct stream *s = owner;
	struct reflection *r = s->all;
	struct answer a;
	struct err e;

	arena_reset(&r->arena);
	Request *asked = protobuf_unpack(
		&r->arena,
		&grpc__reflection__v1__server_reflection_request__descriptor,
		message, &e);
	if (!asked) {
		fail(s, &e);
		return;
	}
	fill(&a, r, asked);
	if (!call_send(s->call, &a.to.base, &e))
		fail(s, &e);
	else if (call_full(s->call))
		call_pause(s->call); /* who does not read is not read */
}

static void on_drained(void *owner)
{
	struct stream *s = owner;

	call_resume(s->call);
}

static void on_end(void *owner)
{
	struct stream *s = owner;
	struct call *c = s->call;

	forget(s);
	call_end(c);
}

static void on_closed(void *owner)
{
	forget(owner);
}

static const struct call_events events = {
	.message = on_message,
	.end = on_end,
	.drained = on_drained,
	.closed = on_closed,
};

static struct fate *on_open(void *service, struct call *c)
{
	struct reflection *r = service;
	struct stream *s = mem_zalloc(sizeof(*s));

	s->all = r;
	s->call = c;
	list_append(&r->streams, &s->link);
	return call_stream(c, &events, s);
}

static const struct method methods[] = {
	{.name = "ServerReflectionInfo", .bidi = on_open},
};

/* --- the service ---------------------------------------------------------- */

struct reflection *reflection_new(struct services *services)
{
	struct reflection *r = mem_zalloc(sizeof(*r));
	struct service service = {
		.methods = methods,
		.method_count = sizeof(methods) / sizeof(methods[0]),
		.limit_bytes = REQUEST_BYTES,
		.object = r,
	};

	r->services = services;
	list_init(&r->streams);
	service.name = "grpc.reflection.v1.ServerReflection";
	services_add(services, &service);
	service.name = "grpc.reflection.v1alpha.ServerReflection";
	services_add(services, &service);
	return r;
}

void reflection_end(struct reflection *r)
{
	struct err e;

	err_set(&e, ERR_DRAINING, "the daemon is about to stop");
	while (!list_empty(&r->streams))
		fail(LIST_ITEM(list_pop(&r->streams), struct stream, link), &e);
}

void reflection_free(struct reflection *r)
{
	if (!r)
		return;
	arena_finish(&r->arena);
	free(r);
}
