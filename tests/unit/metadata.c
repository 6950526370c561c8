/* metadata, base64: what a call says beside its messages survives the wire. */
#include "server/face/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base64.h"
#include "proto/buf.h"
#include "proto/h2.h"

/* RFC 4648, section 10, without padding. */
static const struct {
	const char *bytes;
	const char *text;
} vectors[] = {
	{"", ""},
	{"f", "Zg"},
	{"fo", "Zm8"},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg"},
	{"fooba", "Zm9vYmE"},
	{"foobar", "Zm9vYmFy"},
};

static void the_vectors_of_the_rfc(void **state)
{
	struct buf text = {0};
	struct buf bytes = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		buf_reset(&text, 0);
		buf_reset(&bytes, 0);
		base64_encode(&text, slice_of(vectors[i].bytes));
		assert_true(slice_is(buf_slice(&text), vectors[i].text));
		assert_true(base64_decode(&bytes, buf_slice(&text)));
		assert_true(slice_is(buf_slice(&bytes), vectors[i].bytes));
		/* Padded it is the same. */
		while (text.len % 4 != 0)
			buf_append_text(&text, "=");
		buf_reset(&bytes, 0);
		assert_true(base64_decode(&bytes, buf_slice(&text)));
		assert_true(slice_is(buf_slice(&bytes), vectors[i].bytes));
	}
	buf_finish(&text);
	buf_finish(&bytes);
}

static void any_bytes_come_back(void **state)
{
	struct buf text = {0};
	struct buf back = {0};
	char bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		buf_reset(&text, 4096);
		buf_reset(&back, 4096);
		base64_encode(&text, (struct slice){bytes, len});
		assert_true(base64_decode(&back, buf_slice(&text)));
		assert_true(slice_equal(buf_slice(&back),
					(struct slice){bytes, len}));
	}
	buf_finish(&text);
	buf_finish(&back);
}

static void what_is_no_base64_is_refused_whole(void **state)
{
	static const char *const texts[] = {
		"Z",  "Zg=",   "Zg===", "Zm8==",  "=",
		"==", "Zm9v=", "Z m8",	"Zm-v",	  "Zm9_",
		"Zh", "Zm9",   "Zm9v!", "Zg==Zg", "Zm9v\n",
	};
	struct buf bytes = {0};

	(void)state;
	buf_append_text(&bytes, "before");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(base64_decode(&bytes, slice_of(texts[i])));
	assert_true(slice_is(buf_slice(&bytes), "before"));
	buf_finish(&bytes);
}

static struct metadata taken(const struct h2_header *list, size_t count)
{
	const struct h2_headers headers = {list, count, false};
	struct metadata m = {0};

	metadata_take(&m, &headers);
	return m;
}

static void only_what_is_the_applications_is_taken(void **state)
{
	const struct h2_header list[] = {
		{slice_of(":path"), slice_of("/a.B/C")},
		{slice_of("te"), slice_of("trailers")},
		{slice_of("user-agent"), slice_of("grpc-c/1")},
		{slice_of("authorization"), slice_of("Bearer secret")},
		{slice_of("grpc-timeout"), slice_of("1S")},
		{slice_of("grpc-whatever-bin"), slice_of("Zg")},
		{slice_of("mine"), slice_of("1")},
		{slice_of("high"), slice_of("\xe9")},
		{slice_of("control"), slice_of("a\tb")},
		{slice_of("with space"), slice_of("1")},
		{slice_of("empty"), slice_of("")},
		{slice_of("mine"), slice_of("2")},
	};
	struct metadata m = taken(list, sizeof(list) / sizeof(list[0]));

	(void)state;
	assert_int_equal(m.count, 3);
	assert_true(slice_is(metadata_get(&m, "mine"), "1"));
	assert_true(slice_is(m.list[2].value, "2"));
	assert_non_null(metadata_get(&m, "empty").ptr);
	assert_null(metadata_get(&m, "authorization").ptr);
	metadata_finish(&m);
}

static void binary_values_are_split_before_they_are_decoded(void **state)
{
	const struct h2_header list[] = {
		{slice_of("a-bin"), slice_of("Zg==,Zm8,!,,Zm9v")},
		{slice_of("a-bin"), slice_of("q6ur")},
		{slice_of("b-bin"), slice_of("no base64")},
	};
	struct metadata m = taken(list, sizeof(list) / sizeof(list[0]));
	static const char *const wanted[] = {"f", "fo", "", "foo",
					     "\xab\xab\xab"};

	(void)state;
	assert_int_equal(m.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_true(slice_is(m.list[i].value, wanted[i]));
	assert_null(metadata_get(&m, "b-bin").ptr);
	metadata_finish(&m);
}

static void what_is_sent_is_legal(void **state)
{
	struct metadata m = {0};

	(void)state;
	metadata_put(&m, "plain", slice_of("as it is"));
	metadata_put(&m, "split", slice_of("a\r\nb")); /* left out */
	metadata_put(&m, "bytes-bin", (struct slice){"\0\xff", 2});
	assert_int_equal(m.count, 2);
	assert_true(slice_is(metadata_get(&m, "plain"), "as it is"));
	assert_true(slice_is(metadata_get(&m, "bytes-bin"), "AP8"));
	metadata_finish(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_rfc),
		cmocka_unit_test(any_bytes_come_back),
		cmocka_unit_test(what_is_no_base64_is_refused_whole),
		cmocka_unit_test(only_what_is_the_applications_is_taken),
		cmocka_unit_test(
			binary_values_are_split_before_they_are_decoded),
		cmocka_unit_test(what_is_sent_is_legal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
