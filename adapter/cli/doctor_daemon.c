/* What the doctor asks the daemon: never the database or a source itself. */
#include "adapter/cli/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "adapter/cli/cli.h"
#include "election/plat.h"
#include "proto/envelope.h"
#include "proto/version.h"

typedef Executor__Admin__V1__SourceCheck source_check_t;

enum {
	/* Some clients' model takes no more tools, and says nothing. */
	TOOLS_ODD = 128,
	FIX_BYTES = 128,
};

/* --- the election --------------------------------------------------------- */

static bool same_id(const unsigned char *ours, ProtobufCBinaryData theirs)
{
	return theirs.len == MANIFEST_ID_BYTES &&
	       memcmp(ours, theirs.data, theirs.len) == 0;
}

static void check_owner(struct doctor *d, const admin_status_t *s)
{
	if (d->holder != 0 && d->holder != s->pid)
		doctor_find(d, GROUP_ELECTION, FINDING_BAD,
			    "executor daemon restart",
			    "pid %ld holds owner.lock, but pid %" PRId64
			    " answers",
			    (long)d->holder, s->pid);
	else
		doctor_find(d, GROUP_ELECTION, FINDING_GOOD, NULL,
			    "pid %" PRId64 " owns the directory, and answers",
			    s->pid);
	if (!d->has_manifest)
		doctor_find(d, GROUP_ELECTION, FINDING_BAD,
			    "executor daemon restart",
			    "there is no manifest that names it");
	else if (d->manifest.epoch != s->epoch || d->manifest.pid != s->pid ||
		 !same_id(d->manifest.instance, s->instance))
		doctor_find(d, GROUP_ELECTION, FINDING_ODD, "executor doctor",
			    "the manifest names pid %" PRId64
			    " of epoch %" PRIu64 ": the owner has just changed",
			    d->manifest.pid, d->manifest.epoch);
	else
		doctor_find(d, GROUP_ELECTION, FINDING_GOOD, NULL,
			    "the manifest names it, epoch %" PRIu64, s->epoch);
}

static void check_version(struct doctor *d, const admin_status_t *s)
{
	if (d->has_manifest &&
	    (d->manifest.protocol_max < version_protocol_min ||
	     d->manifest.protocol_min > version_protocol_max))
		doctor_find(d, GROUP_ELECTION, FINDING_BAD,
			    "executor daemon restart",
			    "the daemon speaks protocol %" PRIu32 " to %" PRIu32
			    ", these programs %u to %u",
			    d->manifest.protocol_min, d->manifest.protocol_max,
			    version_protocol_min, version_protocol_max);
	int order = version_compare(s->version, version_text);
	if (order < 0)
		doctor_find(d, GROUP_ELECTION, FINDING_ODD,
			    "executor daemon restart",
			    "the daemon is version %s, older than the "
			    "installed %s",
			    s->version, version_text);
	else if (order > 0)
		doctor_find(d, GROUP_ELECTION, FINDING_ODD,
			    "install the newer version here, too",
			    "the daemon is version %s, newer than this "
			    "program's %s",
			    s->version, version_text);
	else
		doctor_find(d, GROUP_ELECTION, FINDING_GOOD, NULL,
			    "both are version %s", version_text);
}

static void find_no_daemon(struct doctor *d, const struct err *e)
{
	char fix[FIX_BYTES] = "executor logs";
	uint64_t start_ticks;
	bool stopped;

	if (e->reason == ERR_NOT_RUNNING && d->holder == 0) {
		doctor_find(d, GROUP_ELECTION, FINDING_GOOD, NULL,
			    "no daemon runs; the next client starts one");
		doctor_find(d, GROUP_STORE, FINDING_ODD,
			    "executor doctor --start",
			    "not checked, nor the sources: no daemon runs");
		return;
	}
	if (d->dir_fd < 0)
		return; /* it was said why */
	bool known = d->holder != 0 &&
		     plat_process(d->holder, &start_ticks, &stopped);
	if (known && stopped)
		snprintf(fix, sizeof(fix), "kill -CONT %ld", (long)d->holder);
	else if (known)
		snprintf(fix, sizeof(fix), "executor logs, and kill %ld",
			 (long)d->holder);
	doctor_find(d, GROUP_ELECTION, FINDING_BAD, fix, "%s", e->text);
}

/* --- store, sources, names ------------------------------------------------ */

static void check_store(struct doctor *d)
{
	Executor__Admin__V1__CheckStoreRequest request =
		EXECUTOR__ADMIN__V1__CHECK_STORE_REQUEST__INIT;
	struct err e;
	const Executor__Admin__V1__CheckStoreResponse *reply = cli_admin(
		d->cli, false, "CheckStore", &request.base,
		&executor__admin__v1__check_store_response__descriptor, &e);

	if (reply)
		doctor_find(d, GROUP_STORE, FINDING_GOOD, NULL,
			    "executor.db is sound, schema version %" PRIu32,
			    reply->schema_version);
	else
		doctor_find(d, GROUP_STORE, FINDING_BAD, NULL, "%s", e.text);
}

static void check_source(struct doctor *d, const source_check_t *s)
{
	char fix[FIX_BYTES];

	if (!s->enabled)
		snprintf(fix, sizeof(fix), "executor source enable %s",
			 s->name);
	else
		snprintf(fix, sizeof(fix), "executor source test %s", s->name);
	if (!s->enabled)
		doctor_find(d, GROUP_SOURCES, FINDING_ODD, fix,
			    "%s is disabled", s->name);
	else if (*s->error)
		/* It says what to do. */
		doctor_find(d, GROUP_SOURCES, FINDING_BAD, NULL, "%s: %s",
			    s->name, s->error);
	else if (*s->last_error)
		doctor_find(d, GROUP_SOURCES, FINDING_ODD, fix, "%s: %s",
			    s->name, s->last_error);
	else if (s->program.len > 0)
		doctor_find(d, GROUP_SOURCES, FINDING_GOOD, NULL, "%s: %.*s",
			    s->name, (int)s->program.len,
			    (const char *)s->program.data);
}

static void check_names(struct doctor *d, const source_check_t *s)
{
	char fix[FIX_BYTES];

	snprintf(fix, sizeof(fix), "executor tools list %s", s->name);
	if (s->renamed > 0)
		doctor_find(d, GROUP_NAMES, FINDING_ODD, fix,
			    "%s: %" PRIu32 " of %" PRIu32
			    " tools have a name made to fit",
			    s->name, s->renamed, s->tools);
	if (s->left_out > 0)
		doctor_find(d, GROUP_NAMES, FINDING_ODD, "executor logs",
			    "%s: %" PRIu32
			    " tools have no usable name, and are left out",
			    s->name, s->left_out);
}

static void check_sources(struct doctor *d)
{
	Executor__Admin__V1__CheckSourcesRequest request =
		EXECUTOR__ADMIN__V1__CHECK_SOURCES_REQUEST__INIT;
	uint32_t tools = 0;
	struct err e;
	const Executor__Admin__V1__CheckSourcesResponse *reply = cli_admin(
		d->cli, false, "CheckSources", &request.base,
		&executor__admin__v1__check_sources_response__descriptor, &e);

	if (!reply) {
		doctor_find(d, GROUP_SOURCES, FINDING_BAD, NULL, "%s", e.text);
		return;
	}
	for (size_t i = 0; i < reply->n_sources; i++) {
		check_source(d, reply->sources[i]);
		check_names(d, reply->sources[i]);
		tools += reply->sources[i]->tools;
	}
	if (tools > TOOLS_ODD)
		doctor_find(d, GROUP_NAMES, FINDING_ODD,
			    "executor source disable NAME",
			    "%" PRIu32
			    " tools in all: some clients take %d at most",
			    tools, TOOLS_ODD);
	else
		doctor_find(d, GROUP_NAMES, FINDING_GOOD, NULL,
			    "%" PRIu32 " tools in all", tools);
}

void doctor_ask_daemon(struct doctor *d, bool start)
{
	struct err e;
	const admin_status_t *s = cli_get_status(d->cli, start, &e);

	if (!s) {
		find_no_daemon(d, &e);
		return;
	}
	if (start) /* it may have begun, and written, only now */
		doctor_look_at_owner(d);
	check_owner(d, s);
	check_version(d, s);
	if (*s->tcp_url)
		doctor_look_at_port(d, s->tcp_url);
	check_store(d);
	check_sources(d);
}
