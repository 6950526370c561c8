/* tcp: which addresses there are, and what is said of the others. */
#include "server/face/tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/err.h"

static void assert_no_address(const char *text, const char *why)
{
	struct tcp_address a;
	struct err e;

	assert_false(tcp_parse(&a, text, &e));
	assert_int_equal(e.reason, ERR_INVALID_ARGUMENT);
	if (!strstr(e.text, why))
		print_error("%s: %s\n", text, e.text);
	assert_non_null(strstr(e.text, why));
}

static void addresses_are_figures_or_localhost(void **state)
{
	static const struct {
		const char *text;
		int family;
		uint16_t port;
		bool loopback;
	} good_ones[] = {
		{"127.0.0.1:80", AF_INET, 80, true},
		{"localhost:0", AF_INET, 0, true},
		{"localhost", AF_INET, TCP_PORT_DEFAULT, true},
		{"65535", AF_INET, 65535, true},
		{"127.3.2.1:5", AF_INET, 5, true},
		{"[::1]:443", AF_INET6, 443, true},
		{"[::1]", AF_INET6, TCP_PORT_DEFAULT, true},
		{"0.0.0.0:1", AF_INET, 1, false},
		{"[::]:1", AF_INET6, 1, false},
		{"128.0.0.1:1", AF_INET, 1, false},
		{"[::ffff:127.0.0.1]:1", AF_INET6, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good_ones) / sizeof(good_ones[0]); i++) {
		struct tcp_address a;
		struct err e;

		assert_true(tcp_parse(&a, good_ones[i].text, &e));
		assert_true(a.set);
		assert_int_equal(a.name.any.sa_family, good_ones[i].family);
		assert_int_equal(a.loopback, good_ones[i].loopback);
		assert_int_equal(ntohs(a.name.any.sa_family == AF_INET
					       ? a.name.v4.sin_port
					       : a.name.v6.sin6_port),
				 good_ones[i].port);
	}
	assert_no_address("", "HOST:PORT");
	assert_no_address(":80", "HOST:PORT");
	assert_no_address("127.0.0.1:", "no port");
	assert_no_address("127.0.0.1:65536", "no port");
	assert_no_address("127.0.0.1:8o", "no port");
	assert_no_address("127.0.0.1:-1", "no port");
	assert_no_address("127.1:80", "no address");
	assert_no_address("::1", "HOST:PORT");
	assert_no_address("[::1:80", "HOST:PORT");
	assert_no_address("[::1]80", "no address");
	assert_no_address("[127.0.0.1]:80", "no address");
	assert_no_address("example.org:80", "not looked up");
	assert_no_address("127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1."
			  "127.0.0.1.127.0.0.1:1",
			  "HOST:PORT");
}

static void no_such_address_is_said(void **state)
{
	struct tcp_address a;
	struct err e;

	(void)state;
	/* RFC 5737: for documentation, nobody's. */
	assert_true(tcp_parse(&a, "192.0.2.1:0", &e));
	assert_int_equal(tcp_bind(&a, &e), -1);
	assert_int_equal(e.reason, ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(e.text, "no such address"));
}

static void ipv6_loopback_serves_too(void **state)
{
	struct tcp_address a;
	char url[TCP_URL_BYTES];
	uint16_t port = 0;
	struct err e;

	(void)state;
	assert_true(tcp_parse(&a, "[::1]:0", &e));
	int fd = tcp_bind(&a, &e);
	if (fd < 0)
		skip(); /* a machine without IPv6 */
	assert_true(tcp_listen(fd, &e));
	assert_true(tcp_url(fd, url, &port, &e));
	assert_int_equal(strncmp(url, "http://[::1]:", 13), 0);
	assert_int_equal(atoi(url + 13), port);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_figures_or_localhost),
		cmocka_unit_test(no_such_address_is_said),
		cmocka_unit_test(ipv6_loopback_serves_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
