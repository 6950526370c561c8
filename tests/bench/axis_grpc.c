/* gRPC calls of 200 bytes against grpc++, and a web server on nghttp2. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "axis.h"
#include "lab.h"
#include "report.h"

enum { HELD_CONNECTIONS = 100, HELD_STREAMS = 10 };

/* One server under load. */
struct server {
	const char *name;
	struct party party;
	char port[8];
	struct samples per_s, cpu_us, p50, p99;
};

/* How many connections, how many calls at a time on each. */
struct load {
	const char *text;
	unsigned connections, streams;
};

static const struct load loads[] = {
	{"1 x 1", 1, 1},
	{"1 x 32", 1, 32},
	{"8 x 32", 8, 32},
};

/* --- the servers ------------------------------------------------------------
 */

static void port_of(struct server *s, struct slice line)
{
	size_t at = line.len;

	while (at > 0 && line.ptr[at - 1] != ':')
		at--;
	snprintf(s->port, sizeof(s->port), "%.*s", (int)(line.len - at),
		 line.ptr + at);
	if (at == 0 || strtoul(s->port, NULL, 10) == 0)
		lab_fail("%s says no port: %.*s", s->name, (int)line.len,
			 line.ptr);
}

/* False where this tree was built without its protos. */
static bool start_ours(struct server *s)
{
	if (access(lab_program(s->name), X_OK) != 0) {
		fputs("bench: no interop-server here: grpc is left out\n",
		      stderr);
		return false;
	}
	party_start(&s->party,
		    (const char *const[]){lab_program(s->name), "--listen",
					  "127.0.0.1:0", NULL});
	port_of(s, party_hear(&s->party));
	return true;
}

/* Its status says whether each call came to its end. */
static void end_ours(struct server *s)
{
	kill(s->party.pid, SIGTERM);
	party_end(&s->party);
}

/* False where this tree was built without grpc++. */
static bool start_grpcpp(struct server *s)
{
	const char *path = lab_floor("peer_grpcpp");

	if (access(path, X_OK) != 0) {
		fputs("bench: no grpc++ here: not compared with it\n", stderr);
		return false;
	}
	party_start(&s->party, (const char *const[]){path, NULL});
	port_of(s, party_hear(&s->party));
	return true;
}

/* It serves the very bytes that the others answer with. */
static bool start_nghttpd(struct server *s)
{
	static const char head[] = "\0\0\0\0\xce\x0a\xcb\x01\x12\xc8\x01";
	static const char zeroes[200];
	const char *path = "/usr/sbin/nghttpd";

	if (access(path, X_OK) != 0) {
		fputs("bench: no nghttpd here: not compared with it\n", stderr);
		return false;
	}
	FILE *file = fopen(lab_path("answer"), "we");
	if (!file || fwrite(head, sizeof(head) - 1, 1, file) != 1 ||
	    fwrite(zeroes, sizeof(zeroes), 1, file) != 1 || fclose(file) != 0)
		lab_fail("%s: %s", lab_path("answer"), strerror(errno));
	lab_free_port(s->port);
	party_start(&s->party, (const char *const[]){
				       path, "--no-tls", "--address=127.0.0.1",
				       "-d", lab_path("."), s->port, NULL});
	return true;
}

/* --- calls ------------------------------------------------------------------
 */

static void load_server(struct server *s, const char *mode,
			const struct load *load, unsigned count, bool counts)
{
	char connections[12], streams[12], number[12];
	struct party driver;
	double seconds, p50, p99;

	snprintf(connections, sizeof(connections), "%u", load->connections);
	snprintf(streams, sizeof(streams), "%u", load->streams);
	snprintf(number, sizeof(number), "%u", count);
	double cpu = lab_cpu_ns(s->party.pid);
	party_start(&driver,
		    (const char *const[]){lab_floor("grpc_load"), mode, s->port,
					  connections, streams, number, NULL});
	struct slice line = party_hear(&driver);
	char text[128];
	snprintf(text, sizeof(text), "%.*s", (int)line.len, line.ptr);
	if (sscanf(text, "done %lf %lf %lf", &seconds, &p50, &p99) != 3)
		lab_fail("%s: %s", s->name, text);
	party_end(&driver);
	if (!counts)
		return;
	samples_add(&s->per_s, count / seconds);
	samples_add(&s->cpu_us, (lab_cpu_ns(s->party.pid) - cpu) / count / 1e3);
	samples_add(&s->p50, p50);
	samples_add(&s->p99, p99);
}

static void forget_samples(struct server *s)
{
	samples_finish(&s->per_s);
	samples_finish(&s->cpu_us);
	samples_finish(&s->p50);
	samples_finish(&s->p99);
}

static void report_figure(const char *name, const char *unit,
			  struct samples *ours, struct samples *floor,
			  const char *floor_what, double aim)
{
	report_samples((struct row){.axis = "grpc",
				    .what = name,
				    .unit = unit,
				    .floor_what = floor_what,
				    .aim = aim},
		       ours, floor);
}

static void measure_unary(const struct effort *e, struct server *ours,
			  struct server *grpcpp, struct server *nghttpd)
{
	static const char *const per_s[] = {"unary 200 B, 1 x 1",
					    "unary 200 B, 1 x 32",
					    "unary 200 B, 8 x 32"};
	static const char *const cpu[] = {"processor a call, 1 x 1",
					  "processor a call, 1 x 32",
					  "processor a call, 8 x 32"};

	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		const struct load *l = &loads[i];
		unsigned count = e->messages * (l->streams > 1 ? 8 : 2);

		for (unsigned round = 0; round <= e->rounds; round++) {
			load_server(ours, "unary", l, count, round > 0);
			if (grpcpp)
				load_server(grpcpp, "unary", l, count,
					    round > 0);
			if (nghttpd)
				load_server(nghttpd, "plain", l, count,
					    round > 0);
		}
		if (grpcpp) {
			report_figure(per_s[i], "/s", &ours->per_s,
				      &grpcpp->per_s, "grpc++ callback", -2);
			report_figure(cpu[i], "us", &ours->cpu_us,
				      &grpcpp->cpu_us, "grpc++ callback", 0);
			forget_samples(grpcpp);
		}
		if (nghttpd) {
			report_figure(per_s[i], "/s", &ours->per_s,
				      &nghttpd->per_s, "nghttpd", -0.7);
			report_figure(cpu[i], "us", &ours->cpu_us,
				      &nghttpd->cpu_us, "nghttpd", 0);
			forget_samples(nghttpd);
		}
		if (!grpcpp && !nghttpd)
			report_figure(per_s[i], "/s", &ours->per_s, NULL, NULL,
				      0);
		forget_samples(ours);
	}
}

static void measure_ping(const struct effort *e, struct server *ours,
			 struct server *grpcpp)
{
	for (unsigned round = 0; round <= e->rounds; round++) {
		load_server(ours, "ping", &loads[0], e->messages, round > 0);
		if (grpcpp)
			load_server(grpcpp, "ping", &loads[0], e->messages,
				    round > 0);
	}
	report_figure("bidi ping-pong, p50", "us", &ours->p50,
		      grpcpp ? &grpcpp->p50 : NULL,
		      grpcpp ? "grpc++ callback" : NULL, 0);
	report_figure("bidi ping-pong, p99", "us", &ours->p99,
		      grpcpp ? &grpcpp->p99 : NULL,
		      grpcpp ? "grpc++ callback" : NULL, 0);
	forget_samples(ours);
	if (grpcpp)
		forget_samples(grpcpp);
}

/* --- memory -----------------------------------------------------------------
 */

/* What a server holds for HELD_CONNECTIONS with so many streams open on each,
 * and when those have ended. */
struct held {
	double open_kib, idle_kib;
};

static void hear(struct party *p, const char *word)
{
	struct slice line = party_hear(p);

	if (!slice_is(line, word))
		lab_fail("not %s: %.*s", word, (int)line.len, line.ptr);
}

static struct held hold_calls(const struct server *s, unsigned connections,
			      unsigned streams)
{
	char count[12], each[12];
	struct party driver;
	struct held h;

	snprintf(count, sizeof(count), "%u", connections);
	snprintf(each, sizeof(each), "%u", streams);
	double before = lab_kib(s->party.pid, "Private_Dirty");
	party_start(&driver,
		    (const char *const[]){lab_floor("grpc_load"), "hold",
					  s->port, count, each, "0", NULL});
	hear(&driver, "held");
	h.open_kib = lab_kib(s->party.pid, "Private_Dirty") - before;
	party_say(&driver, slice_of("enough\n"));
	hear(&driver, "idle");
	h.idle_kib = lab_kib(s->party.pid, "Private_Dirty") - before;
	party_end(&driver);
	return h;
}

/* A fresh server for each: what one keeps of earlier calls would hide what
 * these need. */
static struct held hold_ours(unsigned connections, unsigned streams)
{
	struct server s = {.name = "interop-server"};
	struct held h = {0};

	if (start_ours(&s)) {
		h = hold_calls(&s, connections, streams);
		end_ours(&s);
	}
	return h;
}

static struct held hold_grpcpp(unsigned connections, unsigned streams)
{
	struct server s = {.name = "grpc++"};
	struct held h = {0};

	if (start_grpcpp(&s)) {
		h = hold_calls(&s, connections, streams);
		party_kill(&s.party);
	}
	return h;
}

static void add_held(const char *what, double value, double floor)
{
	report_add(&(struct row){.axis = "grpc",
				 .what = what,
				 .unit = "KiB",
				 .value = value,
				 .floor = floor,
				 .floor_what =
					 floor > 0 ? "grpc++ callback" : NULL});
}

static void measure_memory(const struct effort *e)
{
	unsigned n =
		e->sessions < HELD_CONNECTIONS ? e->sessions : HELD_CONNECTIONS;
	struct held ours_few = hold_ours(n, 1);
	struct held ours_many = hold_ours(n, 1 + HELD_STREAMS);
	struct held grpcpp_few = hold_grpcpp(n, 1);
	struct held grpcpp_many = hold_grpcpp(n, 1 + HELD_STREAMS);

	add_held("each idle connection", ours_few.idle_kib / n,
		 grpcpp_few.idle_kib / n);
	add_held("each open stream",
		 (ours_many.open_kib - ours_few.open_kib) / n / HELD_STREAMS,
		 (grpcpp_many.open_kib - grpcpp_few.open_kib) / n /
			 HELD_STREAMS);
}

void axis_grpc(const struct effort *e)
{
	struct server ours = {.name = "interop-server"};
	struct server grpcpp = {.name = "grpc++"};
	struct server nghttpd = {.name = "nghttpd"};

	if (!start_ours(&ours))
		return;
	bool with_grpcpp = start_grpcpp(&grpcpp);
	bool with_nghttpd = start_nghttpd(&nghttpd);
	measure_unary(e, &ours, with_grpcpp ? &grpcpp : NULL,
		      with_nghttpd ? &nghttpd : NULL);
	measure_ping(e, &ours, with_grpcpp ? &grpcpp : NULL);
	end_ours(&ours);
	if (with_grpcpp)
		party_kill(&grpcpp.party);
	if (with_nghttpd)
		party_kill(&nghttpd.party);
	measure_memory(e);
}
