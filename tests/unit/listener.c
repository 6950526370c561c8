/* listener: who gets in, and what happens when nobody more can. */
#include "server/face/listener.h"

#include "server/face/health_service.h"
#include "server/face/peer.h"
#include "server/face/service.h"
#include "tests/support/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/log.h"

enum { MOST = 3 };

struct door {
	char dir[64];
	struct sockaddr_un name;
	struct ev_loop *loop;
	struct services services;
	struct health *health;
	struct peers *peers;
	struct listener *listener;
};

static int begin(void **state)
{
	struct door *d = calloc(1, sizeof(*d));
	const struct h2_limits limits = h2_limits_local();

	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, LOG_OFF);
	strcpy(d->dir, "/tmp/executor-listener-XXXXXX");
	if (!mkdtemp(d->dir))
		return -1;
	d->name.sun_family = AF_UNIX;
	snprintf(d->name.sun_path, sizeof(d->name.sun_path), "%s/s", d->dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&d->name, sizeof(d->name)) != 0 ||
	    listen(fd, 64) != 0)
		return -1;
	d->loop = ev_loop_new(EVFLAG_AUTO);
	d->health = health_new(&d->services);
	d->peers = peers_new(d->loop, &d->services, &limits);
	d->listener = listener_new(d->loop, fd, d->peers, MOST);
	*state = d;
	return 0;
}

static int end(void **state)
{
	struct door *d = *state;

	listener_free(d->listener);
	peers_free(d->peers);
	health_free(d->health);
	ev_loop_destroy(d->loop);
	unlink(d->name.sun_path);
	int failed = rmdir(d->dir);
	free(d);
	return failed;
}

static int dial(struct door *d)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&d->name, sizeof(d->name)), 0);
	return fd;
}

/* The other side has closed it without a byte. */
static bool is_refused(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void wait_for_peers(struct door *d, size_t count)
{
	for (int i = 0; i < RPC_TURNS && peers_count(d->peers) != count; i++)
		ev_run(d->loop, EVRUN_ONCE);
	assert_int_equal(peers_count(d->peers), count);
}

static void wait_until_refused(struct door *d, int fd)
{
	for (int i = 0; i < RPC_TURNS && !is_refused(fd); i++)
		ev_run(d->loop, EVRUN_ONCE);
	assert_true(is_refused(fd));
}

static void our_own_uid_is_served(void **state)
{
	struct door *d = *state;
	struct rpc_client client;
	struct rpc rpc;

	rpc_connect(&client, d->loop, dial(d));
	rpc_begin(&client, &rpc, "/grpc.health.v1.Health/Check");
	rpc_message(&rpc, "", 0);
	h2_end(rpc.stream);
	rpc_ended(&client, &rpc, GRPC_OK);
	rpc_finish(&rpc);
	rpc_disconnect(&client);
	wait_for_peers(d, 0);
}

static void one_too_many_is_refused(void **state)
{
	struct door *d = *state;
	int fds[MOST];

	for (int i = 0; i < MOST; i++)
		fds[i] = dial(d);
	wait_for_peers(d, MOST);
	int late = dial(d);
	wait_until_refused(d, late);
	assert_int_equal(peers_count(d->peers), MOST);
	close(late);

	/* Who leaves makes room. */
	close(fds[0]);
	wait_for_peers(d, MOST - 1);
	fds[0] = dial(d);
	wait_for_peers(d, MOST);
	for (int i = 0; i < MOST; i++)
		close(fds[i]);
	wait_for_peers(d, 0);
}

/* Without a descriptor left those who wait are refused one by one, and the
 * loop sleeps in between instead of being woken for ever. */
static void no_descriptors_left_is_no_reason_to_spin(void **state)
{
	struct door *d = *state;
	int fds[] = {dial(d), dial(d), dial(d)};
	struct rlimit before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	int lowest_free = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	close(lowest_free);
	struct rlimit none = {(rlim_t)lowest_free, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 3; i++)
		wait_until_refused(d, fds[i]);
	assert_int_equal(peers_count(d->peers), 0);
	assert_true(ev_iteration(d->loop) < 100);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	int late = dial(d);
	wait_for_peers(d, 1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(late);
	wait_for_peers(d, 0);
}

#define door_test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		door_test(our_own_uid_is_served),
		door_test(one_too_many_is_refused),
		door_test(no_descriptors_left_is_no_reason_to_spin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
