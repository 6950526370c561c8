/* descriptors: the contract's own description, and sets made by hand. */
#include "server/face/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct slice own_file(const char *name)
{
	struct slice file = descriptors_file(descriptors_own(), slice_of(name));

	assert_non_null(file.ptr);
	return file;
}

static const char *defining(const char *symbol)
{
	return descriptors_defining(descriptors_own(), slice_of(symbol)).ptr;
}

static void every_kind_of_symbol_is_found_in_its_file(void **state)
{
	static const char *const symbols[] = {
		"executor.admin.v1.AdminService",
		"executor.admin.v1.AdminService.GetStatus",
		"executor.admin.v1.GetStatusRequest",
		"executor.admin.v1.GetStatusResponse.version",
		"executor.admin.v1.Source.State",
		"executor.admin.v1.Source.STATE_READY",
		"executor.admin.v1.Source.state",
	};
	const char *file = own_file("executor/admin/v1/admin.proto").ptr;

	(void)state;
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		assert_ptr_equal(defining(symbols[i]), file);
	assert_ptr_equal(defining("executor.mcp.v1.Envelope.body"),
			 own_file("executor/mcp/v1/mcp.proto").ptr);
	assert_ptr_equal(
		defining("grpc.health.v1.HealthListResponse.StatusesEntry.key"),
		own_file("grpc/health/v1/health.proto").ptr);
	/* One is the other's name with more behind it. */
	assert_ptr_equal(defining("grpc.reflection.v1.ServerReflection"),
			 own_file("grpc/reflection/v1/reflection.proto").ptr);
	assert_ptr_equal(
		defining("grpc.reflection.v1alpha.ServerReflection"),
		own_file("grpc/reflection/v1alpha/reflection.proto").ptr);
}

static void what_is_not_there_is_not_found(void **state)
{
	static const char *const symbols[] = {
		"",
		".",
		"executor",
		"executor.mcp.v1",
		"executor.mcp.v1.",
		".executor.mcp.v1.Envelope",
		"executor.mcp.v1.Envelope.",
		"executor.mcp.v1.Envelop",
		"executor.mcp.v1.Envelopes",
		"executor.mcp.v1.envelope",
		"executor.mcp.v1.Envelope.body.hello",
		"executor.mcp.v1.McpService.Call.x",
		"executor.mcp.v1..Envelope",
		"executor.admin.v1.Source.State.STATE_READY",
		"executor.admin.v1.STATE_READY",
		"Envelope",
		"google.protobuf.Any",
	};
	struct slice set = descriptors_own();

	(void)state;
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		assert_null(defining(symbols[i]));
	assert_null(descriptors_file(set, slice_of("mcp.proto")).ptr);
	assert_null(descriptors_file(set, slice_of("")).ptr);
}

static void messages_are_told_from_other_symbols(void **state)
{
	struct slice set = descriptors_own();
	const char *file = own_file("executor/admin/v1/admin.proto").ptr;

	(void)state;
	assert_ptr_equal(
		descriptors_of_message(set, slice_of("executor.admin.v1.Tool"))
			.ptr,
		file);
	assert_null(descriptors_of_message(
			    set, slice_of("executor.admin.v1.Tool.name"))
			    .ptr);
	assert_null(descriptors_of_message(
			    set, slice_of("executor.admin.v1.Source.State"))
			    .ptr);
	assert_null(descriptors_of_message(
			    set, slice_of("executor.admin.v1.AdminService"))
			    .ptr);
}

/* --- sets made by hand: what the fields of descriptor.proto are -------------
 */

static size_t put(unsigned char *to, unsigned char number, const void *bytes,
		  size_t len)
{
	to[0] = (unsigned char)(number << 3 | 2);
	to[1] = (unsigned char)len;
	assert_in_range(len, 0, 127);
	memcpy(to + 2, bytes, len);
	return len + 2;
}

static size_t put_file(unsigned char *to, const char *name, const char *first,
		       const char *second)
{
	unsigned char file[100];
	size_t len = put(file, 1, name, strlen(name));

	if (first)
		len += put(file + len, 3, first, strlen(first));
	if (second)
		len += put(file + len, 3, second, strlen(second));
	return put(to, 1, file, len);
}

static void imports_come_along_each_once(void **state)
{
	unsigned char bytes[400];
	struct slice files[DESCRIPTORS_FILES_MAX];
	size_t len = 0;

	(void)state;
	len += put_file(bytes + len, "d", NULL, NULL);
	len += put_file(bytes + len, "b", "d", NULL);
	len += put_file(bytes + len, "c", "d", "absent");
	len += put_file(bytes + len, "a", "b", "c");
	len += put_file(bytes + len, "other", "d", NULL);
	struct slice set = {(const char *)bytes, len};
	struct slice a = descriptors_file(set, slice_of("a"));

	assert_int_equal(descriptors_closure(set, a, files), 4);
	assert_ptr_equal(files[0].ptr, a.ptr);
	assert_ptr_equal(files[1].ptr,
			 descriptors_file(set, slice_of("b")).ptr);
	assert_ptr_equal(files[2].ptr,
			 descriptors_file(set, slice_of("c")).ptr);
	assert_ptr_equal(files[3].ptr,
			 descriptors_file(set, slice_of("d")).ptr);
	assert_int_equal(
		descriptors_closure(set, (struct slice){NULL, 0}, files), 0);
}

static void a_set_that_is_cut_off_ends_early(void **state)
{
	struct slice own = descriptors_own();
	const char *symbol = "grpc.reflection.v1alpha.ErrorResponse";

	(void)state;
	for (size_t len = 0; len < own.len; len += 7) {
		/* Of its own size: the sanitizer sees a step too far. */
		char *cut = test_malloc(len + 1);

		memcpy(cut, own.ptr, len);
		struct slice set = {cut, len};
		descriptors_defining(set, slice_of(symbol));
		descriptors_file(set, slice_of("executor/mcp/v1/mcp.proto"));
		test_free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_symbol_is_found_in_its_file),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(messages_are_told_from_other_symbols),
		cmocka_unit_test(imports_come_along_each_once),
		cmocka_unit_test(a_set_that_is_cut_off_ends_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
